"""How long managers keep what they were told: some time after it was read, longer when it never was.

In batches, each a transaction of its own, so that nobody waits for long and who is killed has lost one of them at most.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.conf import settings
from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.permissions import Actor
from notifications.models import Delivery, ManagerNotification, OutgoingMail
from notifications.models.inbox import NotificationQuerySet

JOB = Actor.system("cleanup_notifications")
STEP = 5000
# In seconds.
LONGEST_RUN = 240


@dataclass(frozen=True, slots=True)
class Expiry:
    """What is kept no longer: read before the one moment, or sent before the other one and never read."""

    read_before: datetime
    sent_before: datetime

    @classmethod
    def now(cls) -> Self:
        return cls(
            clock.now() - timedelta(days=settings.RETAIN_NOTIFICATION_DAYS_READ),
            clock.now() - timedelta(days=settings.RETAIN_NOTIFICATION_DAYS_UNREAD),
        )

    def expired(self) -> dict[str, NotificationQuerySet]:
        """By the field that is their age."""
        rows = ManagerNotification.objects
        return {
            "read_at": rows.read_before(self.read_before),
            "sent_at": rows.unread_since_before(self.sent_before),
        }

    def count(self) -> int:
        return sum(rows.count() for rows in self.expired().values())


def clean_up() -> str:
    """The job. It ends before the queue would kill it: a long backlog takes more than one run."""
    expiry, until = Expiry.now(), time.monotonic() + LONGEST_RUN
    deleted = 0
    for number in delete_expired(expiry, expiry.count()):
        deleted = number
        if time.monotonic() > until:
            break
    while OutgoingMail.objects.delete_emptied(expiry.sent_before, STEP) == STEP and time.monotonic() < until:
        pass
    return f"Deleted {deleted} notifications that were kept long enough."


def delete_expired(expiry: Expiry, number: int) -> Iterator[int]:
    """Yields after each batch how many have gone so far. What somebody is changing is left to the next run.

    The run is audited with its first batch, so that nothing goes unrecorded when it is killed; ``number`` is how many
    it was about to delete.
    """
    deleted = 0
    for age, rows in expiry.expired().items():
        # From where the last batch ended: what is deleted stays in the index for a while, and would be walked over.
        since: dict[str, datetime] = {}
        while True:
            with transaction.atomic():
                batch = rows.filter(**since).order_by(age).select_for_update(skip_locked=True, of=("self",))
                chosen = list(batch.values_list("id", age)[:STEP])
                if chosen and not deleted:
                    _record(expiry, number)
                _delete([key for key, _ in chosen])
            deleted += len(chosen)
            yield deleted
            if len(chosen) < STEP:
                break
            since = {f"{age}__gte": chosen[-1][1]}


def _delete(ids: Sequence[UUID]) -> None:
    """What refers to them goes first."""
    for rows in (Delivery.objects.filter(notification_id__in=ids), ManagerNotification.objects.filter(id__in=ids)):
        rows._raw_delete(rows.db)


def _record(expiry: Expiry, number: int) -> None:
    metadata = {
        "readBefore": clock.rfc3339(expiry.read_before),
        "sentBefore": clock.rfc3339(expiry.sent_before),
        "notifications": number,
    }
    record(Event(EventType.NOTIFICATIONS_PURGED, None, "notification", metadata=metadata), actor=JOB)
