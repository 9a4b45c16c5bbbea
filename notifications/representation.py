"""The inbox as the API writes it."""

from typing import Any

from cerply import clock
from cerply.clock import rfc3339
from notifications.models import ManagerNotification, NotificationPreference


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


def preferences(row: NotificationPreference) -> dict[str, Any]:
    due = row.next_digest_after(clock.now())
    return {
        "frequency": row.frequency,
        "types": row.types,
        "timezone": row.timezone,
        "nextDigestAt": rfc3339(due) if due else None,
    }
