"""The inbox as the API writes it."""

from typing import Any

from cerply import clock
from cerply.clock import rfc3339
from notifications.models import Delivery, DeliveryState, ManagerNotification, NotificationPolicy, Wish, Withheld


def notification(row: ManagerNotification) -> dict[str, Any]:
    """With the learner selected."""
    return {
        "id": str(row.id),
        "learnerId": str(row.learner_id),
        "learnerName": row.learner.name,
        "type": row.type,
        "content": row.content,
        **_read(row),
        "sentAt": rfc3339(row.sent_at),
    }


def read_state(row: ManagerNotification) -> dict[str, Any]:
    return {"id": str(row.id), **_read(row)}


def _read(row: ManagerNotification) -> dict[str, Any]:
    return {"read": row.is_read, "readAt": rfc3339(row.read_at) if row.read_at else None}


def preferences(wish: Wish, undeliverable: str | None) -> dict[str, Any]:
    due = wish.next_digest_after(clock.now())
    return {
        **_cadence(wish),
        "timezone": wish.timezone,
        "nextDigestAt": rfc3339(due) if due else None,
        "setBy": wish.set_by,
        "locked": wish.is_locked,
        "unsubscribedAt": rfc3339(wish.unsubscribed_at) if wish.unsubscribed_at else None,
        "frequencyBefore": wish.frequency_before,
        "undeliverable": undeliverable,
    }


def policy(row: NotificationPolicy) -> dict[str, Any]:
    return {**_cadence(row), "locked": row.locked}


def _cadence(said: Wish | NotificationPolicy) -> dict[str, Any]:
    return {
        "frequency": said.frequency,
        "types": list(said.types),
        "digestHour": said.digest_hour,
        "digestWeekday": said.digest_weekday,
    }


def delivery(row: Delivery | None, wish: Wish | None = None) -> dict[str, Any]:
    """With the mail selected. Of what the job has not looked at yet, the wish says what it will come to."""
    if row is None:
        why = "It entered the inbox before e-mail was sent of it."
        return {"state": "not_sent", "dueAt": None, "sentAt": None, "reason": "predates", "explanation": why}
    mail = row.mail
    bounced = mail is not None and mail.bounced_at is not None
    held = wish.next_digest_after(clock.now()) if wish else None
    due = {DeliveryState.WAITING: held or row.due_at, DeliveryState.MAILING: mail.due_at if mail else None}
    reason = Withheld.BOUNCE if bounced else Withheld(row.reason) if row.reason else None
    return {
        "state": "not_sent" if bounced else _state(row, is_held=held is not None),
        "dueAt": rfc3339(moment) if (moment := due.get(DeliveryState(row.state))) else None,
        "sentAt": rfc3339(row.settled_at) if row.state == DeliveryState.SENT and row.settled_at else None,
        "reason": reason,
        "explanation": reason.label if reason else "",
    }


def _state(row: Delivery, *, is_held: bool) -> str:
    if row.state == DeliveryState.WAITING:
        return "held" if is_held or row.due_at > row.happened_at + Delivery.BUNDLING else "waiting"
    return {DeliveryState.MAILING: "sending", DeliveryState.SENT: "sent"}.get(DeliveryState(row.state), "not_sent")
