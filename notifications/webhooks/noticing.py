"""Mailing admins that an endpoint was disabled: whatever mail of notifications they wish for, for it is not one."""

import logging

from django.conf import settings
from django.core.mail import EmailMessage, mailers
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string

from cerply.permissions import Role
from notifications import failing
from notifications.models import SuppressedAddress, WebhookNotice
from ops.outbox import OutboxState, Unreachable

logger = logging.getLogger(__name__)

NO_ADMIN = "She is no admin of the organization any more."
SUPPRESSED = "Her address takes no mail."


def mail_owed() -> str:
    """The job: what is due, one after the other, over one connection."""
    owed = WebhookNotice.objects.select_related("admin", "endpoint__organization")
    connection = mailers["default"]
    try:
        ended = owed.work_off(lambda row: _mail(row, connection))
    except Unreachable as exc:
        logger.error("the mail server takes nothing, and notices of webhooks wait: %s", exc)
        return "The mail server takes nothing, and notices of webhooks wait."
    finally:
        failing.hang_up(connection)
    return f"Mailed {ended[OutboxState.SENT]} notices of webhooks."


def _mail(row: WebhookNotice, connection: BaseEmailBackend) -> OutboxState:
    row.error = _hindrance(row)
    if row.error:
        return OutboxState.DROPPED
    admin, endpoint = row.admin, row.endpoint
    context = {"admin": admin, "endpoint": endpoint, "reason": row.reason, "url": settings.PUBLIC_URL}
    text = render_to_string("notifications/webhook_disabled.txt", context)
    message = EmailMessage(f"Your webhook at {endpoint.origin} was disabled", text, None, [admin.email])
    with failing.opening():
        connection.open()
    with failing.sending(admin.email, connection):
        connection.send_messages([message])
    return OutboxState.SENT


def _hindrance(row: WebhookNotice) -> str:
    admin = row.admin
    if not admin.is_active or admin.role != Role.ADMIN or row.endpoint.organization.closed_at:
        return NO_ADMIN
    suppressed = SuppressedAddress.objects.holding().filter(address=admin.email.lower())
    return SUPPRESSED if suppressed.exists() else ""
