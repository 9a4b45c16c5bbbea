"""Sending what managers are owed by e-mail. What has become of each notification stands in its `Delivery`."""

import logging
from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from django.core.mail import EmailMultiAlternatives, mailers
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.errors import Conflict
from cerply.permissions import Actor
from notifications import failing
from notifications.collecting import collect
from notifications.composing import compose
from notifications.models import DeliveryState, ManagerNotification, OutgoingMail, Withheld
from notifications.recipients import Recipient, recipients
from notifications.suppressing import suppress
from notifications.wording import without_repetitions
from ops.outbox import OutboxState, Unreachable

logger = logging.getLogger(__name__)

MAILER = Actor.system("mail_notifications")


def mail_owed() -> str:
    """The job, each minute: collects what is to go out, and sends it over one connection."""
    collected = collect()
    connection = mailers["default"]

    def send(mail: OutgoingMail) -> OutboxState:
        return _send(mail, connection)

    try:
        ended = OutgoingMail.objects.work_off(send, _give_up)
    except Unreachable as exc:
        logger.error("the mail server takes nothing, and what is owed waits: %s", exc)
        return f"Put {collected} e-mails into the outbox; the mail server takes nothing."
    finally:
        failing.hang_up(connection)
    return f"Put {collected} e-mails into the outbox; {_counted(ended)}."


def _counted(ended: Counter[OutboxState]) -> str:
    words = {
        OutboxState.SENT: "sent",
        OutboxState.DROPPED: "not sent on purpose",
        OutboxState.DUE: "put off",
        OutboxState.DEAD: "given up",
    }
    return ", ".join(f"{ended[state]} {word}" for state, word in words.items())


def _send(mail: OutgoingMail, connection: BaseEmailBackend) -> OutboxState:
    """Whatever was wished when it was collected: what is wished now counts."""
    # Before it goes out: what would fail afterwards would send it again.
    mail.deliveries.lock()
    to = recipients([mail.recipient_id])[mail.recipient_id]
    if mail.tries == 1 and not to.hindrance and mail.kind != to.wish.frequency:
        return _return(mail)
    rows = _sendable(mail, to)
    if not rows:
        mail.error = "Nothing that is in it may be sent: each of its notifications says why."
        return OutboxState.DROPPED
    message = compose(mail, to, rows)
    with failing.opening():
        connection.open()
    with failing.sending(to.user.email, connection):
        connection.send_messages([message])
    mail.provider_id = _provider_id(message)
    mail.save(update_fields=["provider_id"])
    mail.deliveries.filter(state=DeliveryState.MAILING).update(state=DeliveryState.SENT, settled_at=clock.now())
    return OutboxState.SENT


def _provider_id(message: EmailMultiAlternatives) -> str:
    """What django-anymail has put on the message; a mail server gives none."""
    status = getattr(message, "anymail_status", None)
    return str(status.message_id or "")[:255] if status else ""


def _return(mail: OutgoingMail) -> OutboxState:
    """She wishes another rhythm than this mail's, which nobody has seen yet: what is in it waits for that."""
    mail.deliveries.filter(state=DeliveryState.MAILING).update(
        state=DeliveryState.WAITING, mail=None, due_at=clock.now()
    )
    mail.error = "The manager's wishes have changed: what is in it goes out as she wants it now."
    # Of that window there is no digest after all.
    mail.window_end = None
    mail.save(update_fields=["window_end"])
    return OutboxState.DROPPED


def _sendable(mail: OutgoingMail, to: Recipient) -> list[ManagerNotification]:
    """Withholds what may not be sent, and what is said twice; returns what is left, as it happened."""
    its = ManagerNotification.objects.filter(delivery__mail=mail, delivery__state=DeliveryState.MAILING)
    allowed = []
    for row in its.select_related("learner").order_by("sent_at", "id"):
        if reason := to.refusal_of(row.type):
            _withhold(mail, [row.id], reason)
        else:
            allowed.append(row)
    rows, repetitions = without_repetitions(allowed)
    _withhold(mail, [row.id for row in repetitions], Withheld.DUPLICATE)
    return rows


def _withhold(mail: OutgoingMail, notification_ids: Iterable[UUID], reason: Withheld) -> None:
    deliveries = mail.deliveries.filter(notification__in=notification_ids)
    deliveries.update(state=DeliveryState.WITHHELD, reason=reason, settled_at=clock.now())


def _give_up(mail: OutgoingMail, exc: Exception | None) -> None:
    """The mail stays with the notifications that it was for, so that staff can send it again."""
    reason = Withheld.GAVE_UP
    if isinstance(exc, failing.NoSuchMailbox):
        reason = Withheld.BOUNCE
        suppress(mail.recipient.email, reason, actor=MAILER)
    mail.deliveries.lock()
    mail.deliveries.filter(state=DeliveryState.MAILING).update(
        state=DeliveryState.WITHHELD, reason=reason, settled_at=clock.now()
    )


@transaction.atomic
def send_again(mail_id: UUID, *, actor: Actor) -> None:
    """A mail that was given up, with all that it was given up with. Raises `Conflict` for any other."""
    mail = OutgoingMail.objects.select_for_update().get(id=mail_id)
    if mail.state != OutboxState.DEAD:
        raise Conflict("Only what was given up can be sent again.")
    mail.revive()
    mail.save(update_fields=mail.MOVING)
    mail.deliveries.lock()
    mail.deliveries.filter(reason__in=[Withheld.GAVE_UP, Withheld.BOUNCE]).update(
        state=DeliveryState.MAILING, reason="", settled_at=None
    )
    record(Event(EventType.MAIL_REVIVED, mail.organization_id, "e-mail", mail.id), actor=actor)
