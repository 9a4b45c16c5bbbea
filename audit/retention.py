"""How long events are kept. What has expired goes by whole weekly partitions: no row is ever deleted.

What was sealed of them leaves its heads, which stay: the chains show what they were, and that it went as a whole.
"""

import logging
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Sum

from audit import partitions, sealing
from audit.models import AuditEvent, EventType, Segment, SegmentLeaves, UnsealedEvent
from audit.partitions import ONE_AT_A_TIME, Week, create_ahead, existing, patiently
from audit.recording import Event, record
from cerply import clock
from cerply.permissions import Actor

logger = logging.getLogger("audit")

JOB = Actor.system("cleanup_audit_events")


def clean_up(days: int | None = None, *, dry_run: bool = False) -> str:
    """Drops each week that ended more than ``days`` ago (by default ``RETAIN_AUDIT_DAYS``)."""
    kept = settings.RETAIN_AUDIT_DAYS if days is None else days
    expired_before = clock.now() - timedelta(days=kept)
    if not dry_run:
        create_ahead()  # also gives a partition to what lies in the default one, so that it can expire
        sealing.seal()
    expired = [week for week in existing() if week.end <= expired_before]
    if dry_run:
        counts = [_count(week) for week in expired]
    else:
        dropped = [patiently(partial(_drop, week, kept)) for week in expired]
        counts = [count for count in dropped if count is not None]
    verb = "Would drop" if dry_run else "Dropped"
    return f"{verb} {len(counts)} weeks with {sum(counts)} audit events older than {kept} days."


def _count(week: Week) -> int:
    return AuditEvent.objects.since(week.start).before(week.end).count()


def _drop(week: Week, days: int) -> int | None:
    """The drop and its record, together; None if it was dropped meanwhile, or something of it waits to be sealed.

    It takes as long for few events as for many, and writers wait only meanwhile.
    """
    with connection.cursor() as cursor:
        cursor.execute(ONE_AT_A_TIME)
    if week not in existing():
        return None
    if UnsealedEvent.objects.filter(event_id__gte=week.first_id, event_id__lt=week.bounds[1]).exists():
        logger.error("The week of %s is not dropped: some of its audit events are not sealed.", week.start.date())
        return None
    # Of a week that was dropped before, and got an event since, earlier segments have no leaves.
    there = Exists(SegmentLeaves.objects.filter(segment_id=OuterRef("id")))
    sealed = Segment.objects.filter(there, week=week.start.date()).aggregate(events=Sum("size", default=0))
    events = int(sealed["events"])
    partitions.drop(week)
    metadata = {"week": f"{week.start:%Y-%m-%d}", "events": events, "retainDays": days}
    record(Event(EventType.AUDIT_PURGED, None, "audit_events", metadata=metadata), actor=JOB)
    return events
