"""Verification: nothing that was sealed is changed or removed, nothing was slipped in, and what is gone has expired.

It goes along each chain, a few thousand events at a time, and then compares each week as a whole. What it cannot see
alone is a chain that was rewritten, or cut off at its end, by somebody who has the key and the database: for that there
are heads outside, which it is given.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q

from audit import heads, keys, merkle, personal
from audit.findings import Kind, Report
from audit.heads import Head
from audit.leaves import committed, hash_of
from audit.models import NO_ORGANIZATION, AuditEvent, Commitment, EventType, Segment, SegmentLeaves, UnsealedEvent
from audit.partitions import FIRST_TIME, NO_TIME, Week, existing, in_default
from audit.sealing import is_late
from cerply import clock

# Events, and segments, that are in memory at once.
MOST_EVENTS = 8192
MOST_SEGMENTS = 512
# Days that a week may have been kept.
LONGEST = 36500
# How long an event may wait before that is remarked upon.
PATIENCE = timedelta(hours=1)

# One statement each, and so one snapshot: who is sealing meanwhile changes nothing.
COUNTS = """
    SELECT (SELECT count(*) FROM audit_events AS event WHERE id >= %(first)s AND id < %(next)s {of_events}),
           (SELECT coalesce(sum(size), 0) FROM audit_segments AS event WHERE week = %(week)s {of_segments}),
           (SELECT count(*) FROM audit_unsealed JOIN audit_events AS event ON event.id = event_id
             WHERE event_id >= %(first)s AND event_id < %(next)s AND id >= %(first)s AND id < %(next)s {of_events})
"""
SEALED = """
    WITH sealed AS (
        SELECT encode(substr(content, 48 * place + 1, 16), 'hex')::uuid AS id
          FROM audit_leaves JOIN audit_segments AS segment ON segment.id = segment_id
               CROSS JOIN generate_series(0, length(content) / 48 - 1) AS place
         WHERE segment_id >= %(first)s AND segment_id < %(next)s
    )
"""
SLIPPED_IN = """
    {sealed}
    SELECT id FROM audit_events AS event
     WHERE id >= %(first)s AND id < %(next)s {of_events}
       AND NOT EXISTS (SELECT FROM sealed WHERE sealed.id = event.id)
       AND NOT EXISTS (SELECT FROM audit_unsealed WHERE event_id = event.id)
     ORDER BY id LIMIT %(most)s
"""
TWICE = "{sealed} SELECT id FROM sealed GROUP BY id HAVING count(*) > 1 ORDER BY id LIMIT %(most)s"
REMOVED_UNSEALED = """
    SELECT event_id FROM audit_unsealed
     WHERE NOT EXISTS (SELECT FROM audit_events WHERE id = event_id) ORDER BY event_id LIMIT %(most)s
"""
STRAY_LEAVES = """
    SELECT segment_id FROM audit_leaves
     WHERE NOT EXISTS (SELECT FROM audit_segments WHERE id = segment_id) ORDER BY segment_id LIMIT %(most)s
"""
MOST_LISTED = 1000


def verify(*, organization_id: UUID | None = None, known: Iterable[Head] = ()) -> Report:
    """Looks through everything, or through the chain of one organization. ``known``: heads that somebody kept."""
    report = Report()
    go_along(report, organization_id=organization_id)
    compare(report, organization_id=organization_id)
    for head in known:
        _look_for(head, report)
    return report


def go_along(
    report: Report,
    *,
    organization_id: UUID | None = None,
    after: tuple[UUID, int] | None = None,
    until: float = float("inf"),
) -> tuple[UUID, int] | None:
    """Goes along the chains, from ``after`` on. Returns where it stopped at the time ``until``; None at the end."""
    for chain in _chains(organization_id, after):
        reached = after[1] if after and after[0] == chain else 0
        last = Segment.objects.for_organization(chain).filter(number=reached).first()
        for segments in batches(chain, last.number if last else 0):
            _check_events(segments, last, report)
            for segment in segments:
                _check_link(segment, last, report)
                last = segment
            if time.monotonic() > until:
                return chain, segments[-1].number
    return None


def compare(report: Report, *, organization_id: UUID | None = None) -> None:
    """Compares each week as a whole with what is sealed of it and what waits, and looks at what is gone."""
    weeks = {*existing(), *in_default()}
    for week in sorted(weeks):
        _compare_week(week, organization_id, report)
    if organization_id is None:
        for key in _listed(REMOVED_UNSEALED):
            report.add(Kind.REMOVED, f"event {key} was removed before it was sealed")
        for key in _listed(STRAY_LEAVES):
            report.add(Kind.CHAIN, f"the segment that begins with event {key} was removed")
        strange = AuditEvent.objects.filter(Q(id__gte=NO_TIME) | Q(id__lt=FIRST_TIME))
        for key in strange.order_by("id").values_list("id", flat=True)[:MOST_LISTED]:
            report.add(Kind.SLIPPED_IN, f"event {key} has an id that Cerply does not give")
    _check_gone(weeks, organization_id, report)
    _remark_on_waiting(report)


def _chains(organization_id: UUID | None, after: tuple[UUID, int] | None) -> Iterator[UUID]:
    if organization_id is not None:
        yield organization_id
        return
    chain = Segment.objects.order_by("organization_id").filter(organization_id__gte=after[0] if after else UUID(int=0))
    found = chain.values_list("organization_id", flat=True).first()
    while found is not None:
        yield found
        rest = Segment.objects.order_by("organization_id").filter(organization_id__gt=found)
        found = rest.values_list("organization_id", flat=True).first()


def batches(chain: UUID, number: int) -> Iterator[Sequence[Segment]]:
    """The segments of a chain after a number, so many at once as memory should hold with their events."""
    rows = Segment.objects.for_organization(chain).select_related("key").order_by("number")
    while found := list(rows.filter(number__gt=number)[:MOST_SEGMENTS]):
        size = 0
        for count, segment in enumerate(found):
            size += segment.size
            if count and size > MOST_EVENTS:
                found = found[:count]
                break
        yield found
        number = found[-1].number


def _check_link(segment: Segment, last: Segment | None, report: Report) -> None:
    """The segment itself, and that it follows on the one before."""
    report.segments += 1
    expected = last.number + 1 if last else 1
    if segment.number != expected:
        report.add(Kind.CHAIN, f"segments {segment.organization_id}/{expected} to {segment.number - 1} were removed")
    elif bytes(segment.previous) != (bytes(last.hash) if last else heads.BEGINNING):
        report.add(Kind.CHAIN, f"segment {segment} does not follow on the one before it")
    elif segment.total != (last.total if last else 0) + segment.size:
        report.add(Kind.CHAIN, f"segment {segment} counts events that are in no segment")
    if not heads.is_intact(segment):
        report.add(Kind.CHAIN, f"segment {segment} was changed")
    elif not heads.is_signed(segment, segment.key):
        report.add(Kind.CHAIN, f"segment {segment} is not signed with key {segment.key_id}")
    if not keys.is_ours(segment.key):
        report.add(Kind.KEY, f"key {segment.key_id}, which signed segment {segment}, is not one of KEY_ENCRYPTION_KEYS")


def _check_events(segments: Sequence[Segment], last: Segment | None, report: Report) -> None:
    present = set(existing())
    for day, members in groupby(segments, key=lambda segment: segment.week):
        week = Week.of_day(day)
        own = list(members)
        last = _check_events_of(week, own, last, report) if week in present else own[-1]


def _check_events_of(week: Week, segments: Sequence[Segment], last: Segment | None, report: Report) -> Segment | None:
    contents = SegmentLeaves.objects.in_bulk([segment.id for segment in segments])
    leaves = {key: SegmentLeaves.unpacked(bytes(row.content)) for key, row in contents.items()}
    ids = [key for rows in leaves.values() for key, _ in rows]
    within = {"id__gte": week.first_id, "id__lt": week.bounds[1]}
    events = {event.id: event for event in AuditEvent.objects.filter(**within, id__in=ids)}
    commitments = commitments_to(ids)
    if (len(leaves) < len(segments) or len(events) < len(ids)) and week not in existing():  # it has expired meanwhile
        return segments[-1]
    for segment in segments:
        own = leaves.get(segment.id)
        if own is None and _may_be_gone(week):
            pass  # it went with its week, which got another event since
        elif own is None:
            report.add(Kind.CHAIN, f"the leaves of segment {segment} were removed")
        elif len(own) != segment.size or merkle.root_of([digest for _, digest in own]) != bytes(segment.root):
            report.add(Kind.CHAIN, f"the leaves of segment {segment} are not those that were sealed")
        for key, digest in own or ():
            event = events.get(key)
            if event is None:
                report.add(Kind.REMOVED, f"event {key} of segment {segment} was removed")
            else:
                _check_event(event, digest, commitments.get(key, []), segment, report)
                if is_late(event, last):
                    report.remark(Kind.LATE, f"event {key} was recorded more than an hour after it happened")
        last = segment
    return last


def commitments_to(ids: Collection[UUID]) -> Mapping[UUID, list[Commitment]]:
    """By event. Ids that are near each other in time are in few partitions."""
    if not ids:
        return {}
    rows = Commitment.objects.filter(event_id__gte=min(ids), event_id__lte=max(ids), event_id__in=ids)
    return {key: list(own) for key, own in groupby(rows.order_by("event_id", "field"), key=lambda row: row.event_id)}


def _check_event(
    event: AuditEvent, digest: bytes, commitments: Sequence[Commitment], segment: Segment, report: Report
) -> None:
    report.events += 1
    digests = {row.field: bytes(row.digest) for row in commitments}
    if hash_of(event, digests) != digest:
        report.add(Kind.CHANGED, f"event {event.id} of segment {segment} was changed")
        return
    fields = personal.fields_of(event.metadata)
    for row in commitments:
        if row.salt is None:
            report.erased += 1
            matches = row.field not in fields
        else:
            matches = row.field in fields and committed(bytes(row.salt), fields[row.field]) == bytes(row.digest)
        if not matches:
            report.add(Kind.CHANGED, f"{row.field} of event {event.id} of segment {segment} was changed")


def _compare_week(week: Week, organization_id: UUID | None, report: Report) -> None:
    first, following = week.bounds
    values: dict[str, Any] = {
        "first": first,
        "next": following,
        "week": week.start.date(),
        "organization": organization_id,
        "most": MOST_LISTED,
    }
    conditions = _conditions(organization_id)
    with connection.cursor() as cursor:
        cursor.execute(COUNTS.format(**conditions), values)
        events, sealed, waiting = cursor.fetchone()
    report.waiting += waiting
    if events == sealed + waiting and not report.found(Kind.REMOVED):
        return
    for key in _listed(SLIPPED_IN.format(**conditions), values):
        report.add(Kind.SLIPPED_IN, f"event {key} was slipped in: it is in no segment, and does not wait for one")
    for key in _listed(TWICE.format(**conditions), values):
        report.add(Kind.CHAIN, f"event {key} was sealed twice")


def _conditions(organization_id: UUID | None) -> dict[str, str]:
    if organization_id is None:
        return {"sealed": SEALED, "of_events": "", "of_segments": ""}
    own = "AND event.organization_id = %(organization)s"
    platform = "AND event.organization_id IS NULL"
    of_events = platform if organization_id == NO_ORGANIZATION else own
    return {"sealed": SEALED, "of_events": of_events, "of_segments": own}


def _listed(sql: str, values: Mapping[str, Any] | None = None) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or {"most": MOST_LISTED})
        return [key for (key,) in cursor.fetchall()]


def _check_gone(present: set[Week], organization_id: UUID | None, report: Report) -> None:
    """Weeks go as a whole when they have expired, or earlier by a command that said so."""
    segments = Segment.objects.all()
    if organization_id is not None:
        segments = segments.for_organization(organization_id)
    for day in segments.order_by("week").values_list("week", flat=True).distinct():
        week = Week.of_day(day)
        if week in present or _has_expired(week):
            continue
        if purged := _purge_of(week):
            days = purged.metadata["retainDays"]
            report.remark(Kind.PURGED, f"the week of {day:%Y-%m-%d} was dropped after {days} days: event {purged.id}")
        else:
            report.add(Kind.REMOVED, f"the week of {day:%Y-%m-%d} is gone, and had not expired")


def _may_be_gone(week: Week) -> bool:
    return _has_expired(week) or _purge_of(week) is not None


def _has_expired(week: Week) -> bool:
    return week.end <= clock.now() - timedelta(days=settings.RETAIN_AUDIT_DAYS)


def _purge_of(week: Week) -> AuditEvent | None:
    """The event that says that it was dropped, after so many days that it had ended by then."""
    purges = AuditEvent.objects.filter(type=EventType.AUDIT_PURGED, metadata__week=f"{week.start:%Y-%m-%d}")
    for event in purges.order_by("id"):
        days = event.metadata.get("retainDays")
        if isinstance(days, int) and week.end <= event.occurred_at - timedelta(days=min(days, LONGEST)):
            return event
    return None


def _remark_on_waiting(report: Report) -> None:
    oldest = UnsealedEvent.objects.filter(event_id__gte=FIRST_TIME, event_id__lt=NO_TIME).order_by("event_id").first()
    if oldest and (oldest.event_id.int >> 80) / 1000 < (clock.now() - PATIENCE).timestamp():
        report.remark(Kind.WAITING, f"event {oldest.event_id} happened more than an hour ago, and is not sealed yet")
    if not settings.PERSIST_AUDIT_EVENTS:
        report.remark(Kind.OFF, "PERSIST_AUDIT_EVENTS is false: what happens now is not kept")


def _look_for(head: Head, report: Report) -> None:
    segment = Segment.objects.filter(organization_id=head.organization_id, number=head.number).first()
    if segment is None:
        report.add(Kind.HEAD, f"head {head} is not there: the chain was cut off, or an older backup is in its place")
    elif bytes(segment.hash) != head.hash:
        report.add(Kind.HEAD, f"head {head} is another one now: the chain was rewritten up to there, or before it")
