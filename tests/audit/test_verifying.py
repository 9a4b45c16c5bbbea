"""Attacks on the evidence by whoever owns the database, and what verification says of each."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from pytest_django import Settings

from audit import personal, retention, verifying
from audit.findings import Kind
from audit.heads import Head
from audit.models import (
    NO_ORGANIZATION,
    AuditEvent,
    Commitment,
    EventType,
    Segment,
    SegmentLeaves,
    UnsealedEvent,
)
from audit.partitions import Week, create_ahead
from audit.recording import Event, record
from audit.sealing import seal
from audit.verifying import verify
from cerply import clock
from tests.audit.evidence import (
    OURS,
    THEIRS,
    found,
    newest,
    no_triggers,
    only,
    record_and_seal,
    record_some,
    tamper,
)
from tests.factories import ACTOR

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("others")]

INSERT = (
    "INSERT INTO audit_events (id, organization_id, type, subject_kind, actor_kind, actor_label, request_id, metadata,"
    " occurred_at) VALUES (%s, %s, 'signed_in', '', 'system', '', '', '{}', %s)"
)


def id_at(moment: datetime) -> UUID:
    return UUID(int=int(moment.timestamp() * 1000) << 80 | 0x7 << 76 | 0b10 << 62 | uuid4().int & 0xFFFF)


# -- events --


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("type", "'certificate_issued'"),
        ("organization_id", f"'{THEIRS}'"),
        ("organization_id", "NULL"),
        ("subject_id", "NULL"),
        ("actor_label", "'admin'"),
        ("request_id", "'x'"),
        ("occurred_at", "occurred_at + interval '1 microsecond'"),
        ("metadata", 'metadata || \'{"code": "y"}\''),
        ("metadata", "metadata - 'code'"),
    ],
)
def test_an_event_that_is_changed(column: str, value: str) -> None:
    first, second, _ = record_and_seal(3)
    tamper(f"UPDATE audit_events SET {column} = {value} WHERE id = %s", [second])  # noqa: S608
    assert only(Kind.CHANGED) == [f"event {second} of segment {newest()} was changed"]
    assert str(first) not in str(verify().said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('metadata || \'{"reason": "another"}\'', "reason of event {} of segment {} was changed"),
        ("metadata - 'reason'", "reason of event {} of segment {} was changed"),
        ('metadata || \'{"note": "new"}\'', "event {} of segment {} was changed"),
    ],
)
def test_a_personal_field_that_is_changed(change: str, said: str) -> None:
    [event] = record_and_seal()
    tamper(f"UPDATE audit_events SET metadata = {change} WHERE id = %s", [event])  # noqa: S608
    assert only(Kind.CHANGED) == [said.format(event, newest())]


def test_what_is_sealed_stays_good_when_a_release_says_otherwise_what_is_personal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record_and_seal()
    monkeypatch.setattr(personal, "_KNOWN", {"certificate_revoked": frozenset({"reason"})})
    record_and_seal()
    fields = Commitment.objects.filter(event_id__in=[newest().id]).values_list("field", flat=True)
    assert set(fields) == {"learnerId", "share", "code", "number"}
    assert verify().is_good


def test_a_personal_field_with_another_salt_and_commitment() -> None:
    [event] = record_and_seal()
    tamper('UPDATE audit_events SET metadata = metadata || \'{"reason": "another"}\' WHERE id = %s', [event])
    [row] = Commitment.objects.filter(event_id=event, field="reason")
    Commitment.objects.filter(event_id=event, field="reason").update(
        digest=sha256(bytes(row.salt or b"") + b"x").digest()
    )
    assert only(Kind.CHANGED) == [f"event {event} of segment {newest()} was changed"]


def test_an_event_that_is_removed() -> None:
    _, second, _ = record_and_seal(3)
    tamper("DELETE FROM audit_events WHERE id = %s", [second])
    assert only(Kind.REMOVED) == [f"event {second} of segment {newest()} was removed"]


def test_an_event_that_is_removed_before_it_is_sealed() -> None:
    [event] = record_some()
    tamper("DELETE FROM audit_events WHERE id = %s", [event])
    ids = record_and_seal(2)
    assert only(Kind.REMOVED) == [f"event {event} was removed before it was sealed"]
    assert AuditEvent.objects.filter(id__in=ids).count() == 2


@pytest.mark.parametrize("organization_id", [OURS, uuid4(), None])
def test_an_event_that_is_slipped_in(organization_id: UUID | None) -> None:
    moment = clock.now() - timedelta(minutes=5)
    event = id_at(moment)
    tamper(INSERT, [event, organization_id, moment])
    assert only(Kind.SLIPPED_IN) == [f"event {event} was slipped in: it is in no segment, and does not wait for one"]
    seal()
    assert found(verify(), Kind.SLIPPED_IN)


def test_an_event_that_is_slipped_into_a_week_that_has_no_partition() -> None:
    moment = datetime(2001, 1, 1, tzinfo=UTC)
    event = id_at(moment)
    tamper(INSERT, [event, OURS, moment])
    for _ in range(2):
        assert str(event) in only(Kind.SLIPPED_IN)[0]
        create_ahead()


def test_an_event_that_takes_the_place_of_another() -> None:
    first, _ = record_and_seal(2)
    moment = clock.now()
    other = id_at(moment)
    tamper("DELETE FROM audit_events WHERE id = %s", [first])
    tamper(INSERT, [other, OURS, moment])
    report = verify()
    assert set(report.problems) == {Kind.REMOVED, Kind.SLIPPED_IN}
    assert str(first) in found(report, Kind.REMOVED)[0]
    assert str(other) in found(report, Kind.SLIPPED_IN)[0]


def test_an_event_that_is_written_into_the_past_by_the_front_door_is_named() -> None:
    """It is sealed, for it is recorded like any other; behind what was sealed before it, and as what it is."""
    moment = clock.now() - timedelta(weeks=2)
    event = id_at(moment)
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [event, OURS, moment])
    seal()
    report = verify()
    assert report.is_good
    assert found(report, Kind.LATE) == [f"event {event} was recorded more than an hour after it happened"]


def test_two_events_that_are_swapped() -> None:
    first, second = record_and_seal(2)
    with no_triggers() as cursor:
        for before, after in ((first, UUID(int=1)), (second, first), (UUID(int=1), second)):
            cursor.execute("UPDATE audit_events SET id = %s WHERE id = %s", [after, before])
    assert only(Kind.CHANGED) == [f"event {event} of segment {newest()} was changed" for event in (first, second)]


def test_two_leaves_that_are_swapped() -> None:
    record_and_seal(2)
    [row] = SegmentLeaves.objects.filter(segment_id=newest().id)
    content = SegmentLeaves.packed(reversed(SegmentLeaves.unpacked(bytes(row.content))))
    tamper("UPDATE audit_leaves SET content = %s WHERE segment_id = %s", [content, row.segment_id])
    assert only(Kind.CHAIN) == [f"the leaves of segment {newest()} are not those that were sealed"]


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 48, b"x" * 97])
def test_leaves_that_are_nonsense(content: bytes) -> None:
    record_and_seal(2)
    tamper("UPDATE audit_leaves SET content = %s WHERE segment_id = %s", [content, newest().id])
    assert f"the leaves of segment {newest()} are not those that were sealed" in found(verify(), Kind.CHAIN)


def test_a_partition_that_is_emptied() -> None:
    ids = record_and_seal(2, at=clock.now() - timedelta(weeks=3))
    week = Week.of_id(ids[0])
    with no_triggers() as cursor:
        cursor.execute(f"TRUNCATE {week.partition}")
    assert len(only(Kind.REMOVED)) == 2


def test_a_partition_that_is_dropped_with_all_that_goes_with_it() -> None:
    ids = record_and_seal(2, at=clock.now() - timedelta(weeks=3))
    week = Week.of_id(ids[0])
    with connection.cursor() as cursor:
        for table in ("audit_events", "audit_leaves", "audit_commitments"):
            cursor.execute(f"DROP TABLE {week.partition_of(table)}")
    said = f"the week of {week.start:%Y-%m-%d} is gone, and had not expired"
    assert only(Kind.REMOVED) == [said]
    assert only(Kind.REMOVED, organization_id=OURS) == [said]
    assert verify(organization_id=THEIRS).is_good


def test_the_trigger_that_is_switched_off() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_events DISABLE TRIGGER audit_events_await_sealing")
        [event] = record_and_seal()
        cursor.execute("ALTER TABLE audit_events ENABLE TRIGGER audit_events_await_sealing")
    assert str(event) in only(Kind.SLIPPED_IN)[0]


def test_an_event_that_is_sealed_twice() -> None:
    for _ in range(2):
        record(Event(EventType.SIGNED_IN, OURS), actor=ACTOR)
    seal()
    event = AuditEvent.objects.filter(type="signed_in").latest("id")
    UnsealedEvent.objects.create(event_id=event.id)
    seal()
    assert only(Kind.CHAIN) == [f"event {event.id} was sealed twice"]


# -- what is no attack --


def test_nothing_is_wrong_with_what_was_left_alone() -> None:
    record_some(2)
    report = verify(known=[Head.of(newest()), Head.of(newest(THEIRS))])
    assert (report.said, report.waiting, report.events) == ([], 2, 7)


def test_expired_weeks_leave_their_heads_and_nothing_is_wrong() -> None:
    long_ago = clock.now() - timedelta(days=400)
    record_and_seal(2, at=long_ago)
    head = Head.of(newest())
    retention.clean_up()
    record_and_seal(1)
    assert AuditEvent.objects.for_organization(OURS).count() == 4
    assert not SegmentLeaves.objects.filter(segment_id=Segment.objects.get(number=2, organization_id=OURS).id).exists()
    assert verify(known=[head]).is_good


def test_a_week_that_a_command_dropped_early_is_remarked_upon() -> None:
    ids = record_and_seal(2, at=clock.now() - timedelta(weeks=4))
    retention.clean_up(14)
    report = verify()
    assert report.is_good
    purged = AuditEvent.objects.get(type="audit_purged")
    said = f"the week of {Week.of_id(ids[0]).start:%Y-%m-%d} was dropped after 14 days: event {purged.id}"
    assert found(report, Kind.PURGED) == [said]


def test_a_week_that_was_dropped_and_gets_another_event_is_good() -> None:
    """As where a clock begins anew with each start of a machine."""
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    for number in (3, 2):
        record_and_seal(number, at=moment)
        assert verify().is_good
        retention.clean_up()
        assert verify().is_good
    first, second = AuditEvent.objects.filter(type="audit_purged").order_by("id")
    assert (first.metadata["events"], second.metadata["events"]) == (3, 2)


@pytest.mark.parametrize("metadata", ["{}", '{"week": "%s", "retainDays": "x"}', '{"week": "%s", "retainDays": 1e30}'])
def test_an_event_that_claims_an_early_purge_and_makes_no_sense(metadata: str) -> None:
    ids = record_and_seal(1, at=clock.now() - timedelta(weeks=3))
    week = Week.of_id(ids[0])
    with connection.cursor() as cursor:
        for table in ("audit_events", "audit_leaves", "audit_commitments"):
            cursor.execute(f"DROP TABLE {week.partition_of(table)}")
        said = metadata.replace("%s", f"{week.start:%Y-%m-%d}")
        cursor.execute(
            INSERT.replace("'{}'", "%s").replace("signed_in", EventType.AUDIT_PURGED),
            [
                id_at(clock.now()),
                None,
                said,
                clock.now(),
            ],
        )
    assert verify().problems[Kind.REMOVED] == 1


def test_an_event_that_waits_for_long_is_remarked_upon() -> None:
    [event] = record_some(at=clock.now() - timedelta(hours=2))
    report = verify()
    assert report.is_good
    assert found(report, Kind.WAITING) == [f"event {event} happened more than an hour ago, and is not sealed yet"]


def test_numbers_that_readers_of_json_do_not_agree_about_are_sealed() -> None:
    with transaction.atomic():
        for number in (2**63, -(10**30), 1e300, 0.1, 2**53 - 1):
            record(Event(EventType.CERTIFICATE_ISSUED, OURS, metadata={"trackVersion": number}), actor=ACTOR)
    seal()
    assert verify().said == []


# -- one organization, the command, the job --


def test_one_chain_alone() -> None:
    [event] = record_and_seal()
    tamper("DELETE FROM audit_events WHERE id = %s", [event])
    assert verify(organization_id=THEIRS).is_good
    assert verify(organization_id=NO_ORGANIZATION).is_good
    assert len(only(Kind.REMOVED, organization_id=OURS)) == 1
    slipped = id_at(clock.now())
    tamper(INSERT, [slipped, THEIRS, clock.now()])
    assert verify(organization_id=NO_ORGANIZATION).is_good
    assert str(slipped) in only(Kind.SLIPPED_IN, organization_id=THEIRS)[0]


def test_the_command_says_what_is_wrong_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    head = str(Head.of(newest()))
    call_command("verify_audit", head=[head])
    assert capsys.readouterr().out.startswith("Looked through 3 segments with 7 events; 0 events wait")
    [event] = record_and_seal()
    tamper("DELETE FROM audit_events WHERE id = %s", [event])
    with pytest.raises(CommandError, match="1 problems \\(removed 1\\)"):
        call_command("verify_audit")
    assert str(event) in capsys.readouterr().out
    call_command("verify_audit", organization="platform")
    with pytest.raises(CommandError):
        call_command("verify_audit", organization=str(OURS))


@pytest.mark.parametrize("options", [{"head": ["x"]}, {"head": [f"{OURS}/0/{'a' * 64}"]}, {"organization": "x"}])
def test_the_command_refuses_nonsense(options: dict[str, object]) -> None:
    with pytest.raises(CommandError, match="is not"):
        call_command("verify_audit", **options)


def test_memory_does_not_grow_with_the_number_of_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "MOST_EVENTS", 4)
    monkeypatch.setattr(verifying, "MOST_SEGMENTS", 3)
    for number in (1, 1, 1, 1, 9, 1, 3, 3):
        record_and_seal(number)
    batches = [[segment.size for segment in batch] for batch in verifying.batches(OURS, 0)]
    assert batches == [[3, 1], [1, 1, 1], [9], [1, 3], [3]]
    assert verify().is_good


def test_retention_is_as_it_is_configured(settings: Settings) -> None:
    record_and_seal(1, at=clock.now() - timedelta(days=100))
    settings.RETAIN_AUDIT_DAYS = 30
    retention.clean_up()
    assert verify().is_good
    settings.RETAIN_AUDIT_DAYS = 180
    report = verify()
    assert (report.is_good, report.remarks[Kind.PURGED]) == (True, 1)


def test_what_is_not_sealed_is_not_dropped(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    moment = datetime(2020, 1, 6, tzinfo=UTC)
    record_and_seal(1, at=moment)
    tamper(INSERT, [id_at(moment), OURS, moment])
    UnsealedEvent.objects.create(event_id=id_at(moment))
    retention.clean_up()
    assert "is not dropped: some of its audit events are not sealed" in caplog.text
    assert AuditEvent.objects.filter(id__lt=Week(moment).bounds[1]).count() == 2
