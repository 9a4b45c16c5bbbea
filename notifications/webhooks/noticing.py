"""Mailing admins that an endpoint was disabled."""

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from cerply.permissions import Role
from notifications.models import WebhookNotice
from ops.outbox import OutboxState

NO_ADMIN = "She is no admin of the organization any more."


def mail_owed() -> str:
    """The job: what is due, one after the other."""
    owed = WebhookNotice.objects.select_related("admin", "endpoint__organization")
    return f"Mailed {owed.work_off(_mail)[OutboxState.SENT]} notices of webhooks."


def _mail(row: WebhookNotice) -> OutboxState:
    admin, endpoint = row.admin, row.endpoint
    if not admin.is_active or admin.role != Role.ADMIN or endpoint.organization.closed_at:
        row.error = NO_ADMIN
        return OutboxState.DROPPED
    context = {"admin": admin, "endpoint": endpoint, "reason": row.reason, "url": settings.PUBLIC_URL}
    text = render_to_string("notifications/webhook_disabled.txt", context)
    send_mail(f"Your webhook at {endpoint.origin} was disabled", text, None, [admin.email])
    return OutboxState.SENT
