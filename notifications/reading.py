"""Marking notifications as read; each is audited and counted once, when it is newly read."""

from datetime import datetime
from itertools import batched
from uuid import UUID

from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record_many
from cerply import clock
from cerply.errors import NotFound
from cerply.permissions import Actor, Caller
from notifications.models import ManagerNotification

STEP = 1000
GONE = "There is no such notification in your inbox."


@transaction.atomic
def mark(notification_id: UUID, *, read: bool, actor: Actor) -> ManagerNotification:
    """Marks it as read, or as unread again; one that is so already stays as it is. Raises `NotFound`."""
    row = ManagerNotification.objects.select_for_update(of=("self",)).filter(id=notification_id).first()
    if row is None:
        raise NotFound(GONE)
    if row.is_read == read:
        return row
    row.read_at = clock.now() if read else None
    row.save(update_fields=["read_at"])
    if read:
        record_many([_marked(row)], actor=actor)
    return row


@transaction.atomic
def mark_all(caller: Caller, *, before: datetime | None) -> int:
    """Marks as read what had arrived by then; returns how many were unread."""
    moment = clock.now()
    unread = ManagerNotification.objects.inbox_of(caller).unread().filter(sent_at__lte=before or moment)
    rows = list(unread.order_by("id").select_for_update(of=("self",)).only("organization_id", "learner_id", "type"))
    for batch in batched(rows, STEP):
        ManagerNotification.objects.filter(id__in=[row.id for row in batch]).update(read_at=moment)
        record_many([_marked(row) for row in batch], actor=caller.actor)
    return len(rows)


def _marked(row: ManagerNotification) -> Event:
    metadata = {"type": row.type, "learnerId": str(row.learner_id)}
    return Event(EventType.NOTIFICATION_MARKED_READ, row.organization_id, "notification", row.id, metadata)
