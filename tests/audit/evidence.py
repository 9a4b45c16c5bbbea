"""What tests of the evidence do: record, seal, verify, and tamper as somebody who owns the database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction

from audit.findings import Kind, Report
from audit.models import AuditEvent, EventType, Segment
from audit.recording import Event, record_many
from audit.sealing import seal
from audit.verifying import verify
from cerply import clock
from tests.factories import ACTOR

OURS, THEIRS = UUID(int=0xA1), UUID(int=0xB2)


def record_some(number: int = 1, organization_id: UUID | None = OURS, at: datetime | None = None) -> list[UUID]:
    """Events with something personal in each; oldest first."""
    reason = {"reason": "Grażyna asked for it: €5 & <b>", "learnerId": str(uuid4()), "share": 0.1, "code": "x"}
    events = [
        Event(EventType.CERTIFICATE_REVOKED, organization_id, "certificate", uuid4(), reason | {"number": each})
        for each in range(number)
    ]
    with clock.moved_to(at or clock.now()), transaction.atomic():
        record_many(events, actor=ACTOR)
    ids = AuditEvent.objects.filter(subject_id__in=[event.subject_id for event in events]).order_by("id")
    return list(ids.values_list("id", flat=True))


def record_and_seal(number: int = 1, organization_id: UUID | None = OURS, at: datetime | None = None) -> list[UUID]:
    ids = record_some(number, organization_id, at)
    seal()
    return ids


@contextmanager
def no_triggers() -> Iterator[Any]:
    """What whoever owns the database can do."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield cursor
        cursor.execute("SET LOCAL session_replication_role = origin")


def tamper(sql: str, values: Sequence[Any] = ()) -> None:
    with no_triggers() as cursor:
        cursor.execute(sql, values)
        assert cursor.rowcount


def found(report: Report, kind: Kind) -> list[str]:
    """What it says of this kind, without the kind."""
    beginnings = (f"{kind}: ", f"remark ({kind}): ")
    return [line.removeprefix(start) for line in report.said for start in beginnings if line.startswith(start)]


def only(kind: Kind, **options: Any) -> list[str]:
    """What a verification says, which finds problems of this kind alone."""
    report = verify(**options)
    assert set(report.problems) == {kind}, report.said
    return found(report, kind)


def newest(organization_id: UUID = OURS) -> Segment:
    return Segment.objects.newest_of([organization_id])[organization_id]
