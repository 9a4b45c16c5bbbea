"""How long events are kept. What has expired goes by whole weekly partitions: no row is ever deleted."""

from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import connection

from audit.models import AuditEvent, EventType
from audit.partitions import ONE_AT_A_TIME, Week, create_ahead, existing, patiently
from audit.recording import Event, record
from cerply import clock
from cerply.permissions import Actor

JOB = Actor.system("cleanup_audit_events")


def clean_up(days: int | None = None, *, dry_run: bool = False) -> str:
    """Drops each week that ended more than ``days`` ago (by default ``RETAIN_AUDIT_DAYS``)."""
    kept = settings.RETAIN_AUDIT_DAYS if days is None else days
    expired_before = clock.now() - timedelta(days=kept)
    if not dry_run:
        create_ahead()  # also gives a partition to what lies in the default one, so that it can expire
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
    """The drop and its record, together; None if it was dropped meanwhile. Writers wait only as long as it takes."""
    with connection.cursor() as cursor:
        cursor.execute(ONE_AT_A_TIME)
        if week not in existing():
            return None
        events = _count(week)
        cursor.execute(f"DROP TABLE {week.partition}")
    metadata = {"week": f"{week.start:%Y-%m-%d}", "events": events, "retainDays": days}
    record(Event(EventType.AUDIT_PURGED, None, "audit_events", metadata=metadata), actor=JOB)
    return events
