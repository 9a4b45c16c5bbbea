"""Sealing: what waits becomes a segment of its organization's chain, and its order is fixed.

Who waits is known from rows, not from clocks, ids or transaction ids: an event and the row that says that it waits are
committed together. So the job sees neither without the other, and what commits late, comes back from a prepared
transaction, bears an old id or was restored into another cluster is sealed with whatever comes next. Nothing is ever
put between events that are sealed. docs/decisions/0007 weighs this against a horizon of transaction ids.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import groupby
from uuid import UUID

from django.db import transaction

from audit import heads, keys, merkle, partitions
from audit.leaves import commit_to, hash_of
from audit.models import NO_ORGANIZATION, AuditEvent, Commitment, Segment, SegmentLeaves, UnsealedEvent
from audit.partitions import FIRST_TIME, NO_TIME, Week
from cerply import clock
from cerply.permissions import Actor

logger = logging.getLogger("audit")

JOB = Actor.system("seal_audit")
# How many events are sealed in one transaction, and the most that a segment has.
BATCH = 4096
# In seconds, well below what the queue allows.
LONGEST_RUN = 200
# An event that is so much older than what its chain has already is told apart: see `is_late`.
LATE = timedelta(hours=1)
MOST_NAMED = 20


@dataclass(slots=True)
class Sealed:
    events: int = 0
    segments: int = 0


def seal() -> str:
    """The job: seals what waits, batch by batch. Who is killed in a batch has sealed nothing of it."""
    sealed = Sealed()
    after: UUID | None = None
    until = time.monotonic() + LONGEST_RUN
    while time.monotonic() < until:
        waiting = _waiting(after)
        if not waiting:
            break
        partitions.create({Week.of_id(key) for key in waiting})
        _seal(waiting, sealed)
        after = waiting[-1]
    return f"Sealed {sealed.events} audit events in {sealed.segments} segments."


def is_late(event: AuditEvent, latest: Segment | None) -> bool:
    """Whether it happened long before the latest event of its chain that was sealed before it.

    A transaction that was open for that long, a clock that was wrong, or somebody who wrote an event into the past: it
    is at its place in the chain, behind what was sealed before it, and is named.
    """
    return latest is not None and event.occurred_at < latest.latest_at - LATE


def _waiting(after: UUID | None) -> list[UUID]:
    """The next ids, oldest first. One that is no time cannot be sealed; `audit.verifying` names it."""
    rows = UnsealedEvent.objects.filter(event_id__gte=FIRST_TIME, event_id__lt=NO_TIME)
    if after:
        rows = rows.filter(event_id__gt=after)
    return list(rows.order_by("event_id").values_list("event_id", flat=True)[:BATCH])


@transaction.atomic
def _seal(waiting: Sequence[UUID], sealed: Sealed) -> None:
    signer = keys.signer(actor=JOB)
    # Once more, for another sealer may have been at it until now.
    ids = UnsealedEvent.objects.filter(event_id__in=waiting).values_list("event_id", flat=True)
    events = AuditEvent.objects.filter(id__gte=waiting[0], id__lte=waiting[-1], id__in=list(ids)).order_by("id")
    groups: dict[tuple[UUID, Week], list[AuditEvent]] = {}
    for event in events:
        groups.setdefault((event.organization_id or NO_ORGANIZATION, Week.of_id(event.id)), []).append(event)
    chains = Segment.objects.newest_of({organization_id for organization_id, _ in groups})
    segments, leaves, commitments = [], [], []
    for (organization_id, week), members in sorted(groups.items()):
        last = chains.get(organization_id)
        _name_late([event for event in members if is_late(event, last)])
        own = [commitment for event in members for commitment in commit_to(event)]
        hashes = _hashes(members, own)
        segment = _following(last, organization_id, week, members, hashes)
        heads.sign(segment, signer)
        chains[organization_id] = segment
        segments.append(segment)
        packed = SegmentLeaves.packed(zip((event.id for event in members), hashes, strict=True))
        leaves.append(SegmentLeaves(segment_id=segment.id, content=packed))
        commitments += own
    Segment.objects.bulk_create(segments)
    SegmentLeaves.objects.bulk_create(leaves)
    Commitment.objects.bulk_create(commitments)
    UnsealedEvent.objects.filter(event_id__in=[event.id for members in groups.values() for event in members]).delete()
    sealed.events += sum(segment.size for segment in segments)
    sealed.segments += len(segments)
    transaction.on_commit(partial(_log, segments), robust=True)


def _hashes(events: Sequence[AuditEvent], commitments: Sequence[Commitment]) -> list[bytes]:
    digests: Mapping[UUID, dict[str, bytes]] = {
        event_id: {row.field: bytes(row.digest) for row in rows}
        for event_id, rows in groupby(commitments, key=lambda row: row.event_id)
    }
    return [hash_of(event, digests.get(event.id, {})) for event in events]


def _following(
    last: Segment | None, organization_id: UUID, week: Week, events: Sequence[AuditEvent], hashes: Sequence[bytes]
) -> Segment:
    latest_at = max(event.occurred_at for event in events)
    return Segment(
        id=events[0].id,
        organization_id=organization_id,
        number=last.number + 1 if last else 1,
        week=week.start.date(),
        size=len(events),
        total=(last.total if last else 0) + len(events),
        latest_at=max(latest_at, last.latest_at) if last else latest_at,
        root=merkle.root_of(hashes),
        previous=bytes(last.hash) if last else heads.BEGINNING,
        sealed_at=clock.now(),
    )


def _name_late(events: Sequence[AuditEvent]) -> None:
    if events:
        named = ", ".join(str(event.id) for event in events[:MOST_NAMED])
        logger.error("%s audit events were recorded more than an hour after they happened: %s", len(events), named)


def _log(segments: Sequence[Segment]) -> None:
    """A head in the log is another one outside, where the log is kept elsewhere."""
    for segment in segments:
        logger.info("[audit] sealed %s", heads.Head.of(segment))
