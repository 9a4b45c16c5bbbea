"""Sealing: everything once, in an order that is fixed, whoever writes, seals or is killed meanwhile."""

import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from pytest_django import Settings

from audit import heads, keys, sealing
from audit.leaves import committed
from audit.models import (
    NO_ORGANIZATION,
    AuditEvent,
    AuditKey,
    Commitment,
    EventType,
    Segment,
    SegmentLeaves,
    UnsealedEvent,
)
from audit.partitions import FIRST_TIME, Week, create_ahead
from audit.recording import Event, record
from audit.sealing import seal
from audit.verifying import verify
from cerply import clock
from cerply.encryption import KeyUnavailable
from tests.audit.evidence import OURS, THEIRS, newest, record_and_seal, record_some
from tests.factories import ACTOR
from tests.processes import run_python
from tests.threads import at_once, meanwhile

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)


def sealed_ids(organization_id: UUID = OURS) -> list[UUID]:
    """Of the whole chain, in its order."""
    segments = Segment.objects.for_organization(organization_id).order_by("number")
    contents = SegmentLeaves.objects.in_bulk([segment.id for segment in segments])
    return [key for segment in segments for key, _ in SegmentLeaves.unpacked(bytes(contents[segment.id].content))]


def is_good() -> bool:
    report = verify()
    assert report.is_good, report.said
    return True


def write(key: UUID, metadata: str) -> None:
    """An event as nobody records it, but by the front door."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_events (id, organization_id, type, subject_kind, actor_kind, actor_label, request_id,"
            " metadata, occurred_at) VALUES (%s, %s, 'signed_in', '', 'system', '', '', %s, '1970-01-05')",
            [key, OURS, metadata],
        )


# -- what a segment is --


def test_what_waits_becomes_a_segment_of_its_organization(db: None) -> None:
    ours, theirs = record_some(3), record_some(2, THEIRS)
    assert seal() == "Sealed 6 audit events in 3 segments."
    assert (sealed_ids(), sealed_ids(THEIRS)) == (ours, theirs)
    assert AuditEvent.objects.get(id__in=sealed_ids(NO_ORGANIZATION)).type == "audit_key_created"
    assert not UnsealedEvent.objects.exists()
    assert seal() == "Sealed 0 audit events in 0 segments."
    assert is_good()


def test_each_segment_follows_on_the_one_before(db: None) -> None:
    for number in (3, 1, 2):
        record_and_seal(number)
    first, second, third = Segment.objects.for_organization(OURS).order_by("number").select_related("key")
    assert [segment.number for segment in (first, second, third)] == [1, 2, 3]
    assert [segment.total for segment in (first, second, third)] == [3, 4, 6]
    assert bytes(first.previous) == bytes(32)
    assert (bytes(second.previous), bytes(third.previous)) == (bytes(first.hash), bytes(second.hash))
    assert all(heads.is_intact(segment) and heads.is_signed(segment, segment.key) for segment in (first, second, third))


def test_no_segment_crosses_a_week(db: None) -> None:
    record_some(2, at=MONDAY - timedelta(microseconds=1))
    record_some(3, at=MONDAY)
    seal()
    segments = Segment.objects.for_organization(OURS).order_by("number")
    weeks = [(segment.week, segment.size) for segment in segments]
    assert weeks == [((MONDAY - timedelta(weeks=1)).date(), 2), (MONDAY.date(), 3)]
    assert is_good()


def test_more_than_fit_are_sealed_batch_by_batch(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 10)
    ids = record_some(35)
    assert seal() == "Sealed 36 audit events in 5 segments."
    assert sealed_ids() == ids
    assert is_good()


def test_what_came_before_its_week_had_a_partition_is_sealed_too(db: None) -> None:
    ids = record_and_seal(2, at=datetime(2019, 1, 1, tzinfo=UTC))
    assert sealed_ids() == ids
    assert is_good()


def test_nothing_waits_where_events_are_not_kept(db: None, settings: Settings) -> None:
    settings.PERSIST_AUDIT_EVENTS = False
    record(Event(EventType.TEAM_CREATED, OURS), actor=ACTOR)
    assert not UnsealedEvent.objects.exists()
    assert seal() == "Sealed 0 audit events in 0 segments."
    assert verify().said == ["remark (off): PERSIST_AUDIT_EVENTS is false: what happens now is not kept"]


@pytest.mark.parametrize(
    "strange",
    [UUID("ffffffff-ffff-4fff-bfff-ffffffffffff"), UUID(int=1), UUID("00001499-6fff-7fff-bfff-ffffffffffff")],
)
def test_an_id_that_is_no_time_stops_nobody(db: None, strange: UUID) -> None:
    write(strange, "{}")
    ids = record_and_seal(2)
    assert sealed_ids() == ids
    assert verify().said == [f"slipped in: event {strange} has an id that Cerply does not give"]
    create_ahead()


@pytest.mark.parametrize("metadata", ["[1, 2]", "null", '"x"', "1.5"])
def test_metadata_that_are_no_object_stop_nobody(db: None, metadata: str) -> None:
    write(FIRST_TIME, metadata)
    ids = record_and_seal(2)
    assert sealed_ids() == [FIRST_TIME, *ids]
    assert is_good()


def test_the_command_does_it_now(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    record_some(1)
    call_command("seal_audit")
    assert capsys.readouterr().out == "Sealed 2 audit events in 2 segments.\n"


@pytest.mark.django_db(transaction=True)
def test_each_head_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    record_and_seal()
    assert f"[audit] sealed {heads.Head.of(newest())}" in caplog.text


# -- what is personal --


def test_personal_fields_are_committed_to_under_a_salt_of_their_own(db: None) -> None:
    first, second = record_and_seal(2)
    rows = {(row.event_id, row.field): row for row in Commitment.objects.all()}
    assert set(rows) == {(key, field) for key in (first, second) for field in ("reason", "share", "number")}
    reason = AuditEvent.objects.get(id=first).metadata["reason"]
    assert bytes(rows[first, "reason"].digest) == committed(bytes(rows[first, "reason"].salt or b""), reason)
    assert (
        len({bytes(row.salt or b"") for row in rows.values()}) == len({bytes(row.digest) for row in rows.values()}) == 6
    )


def test_what_was_erased_leaves_the_hashes_as_they_are(db: None) -> None:
    [event] = record_and_seal()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE audit_events SET metadata = metadata - 'reason' WHERE id = %s", [event])
        cursor.execute("SET LOCAL session_replication_role = origin")
    Commitment.objects.filter(event_id=event, field="reason").update(salt=None)
    report = verify()
    assert (report.is_good, report.erased) == (True, 1)


# -- the key --


def test_the_private_half_is_encrypted(db: None) -> None:
    secret = keys.signer(actor=ACTOR)._private_key.private_bytes_raw()
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(audit_keys)::text FROM audit_keys")
        dumped = cursor.fetchone()[0]
    assert secret.hex() not in dumped


def test_without_its_encryption_key_nothing_is_sealed_and_nothing_lost(db: None, settings: Settings) -> None:
    record_and_seal()
    ids = record_some(2)
    right, settings.KEY_ENCRYPTION_KEYS = settings.KEY_ENCRYPTION_KEYS, [bytes(range(32))]
    with pytest.raises(KeyUnavailable):
        seal()
    settings.KEY_ENCRYPTION_KEYS = right
    assert seal() == "Sealed 2 audit events in 1 segments."
    assert sealed_ids()[1:] == ids


def test_what_an_older_key_signed_stays_good(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    record_and_seal()
    call_command("rotate_audit_key")
    record_and_seal()
    assert AuditKey.objects.count() == 2
    assert "signed with key" in capsys.readouterr().out
    assert len(set(Segment.objects.for_organization(OURS).values_list("key_id", flat=True))) == 2
    assert AuditEvent.objects.filter(type="audit_key_rotated").count() == 1
    assert is_good()


# -- at the same time --


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_commits_late_is_sealed_later_and_not_slipped_in() -> None:
    early = record_some(1)

    def record_and_seal_meanwhile() -> list[UUID]:
        return record_and_seal(2)

    with transaction.atomic():
        late = record_some(1)
        between = at_once([record_and_seal_meanwhile])[0]
        assert sealed_ids() == [*early, *between]
    assert late[0] < between[0]
    seal()
    assert sealed_ids() == [*early, *between, *late]
    assert is_good()


@pytest.mark.django_db(transaction=True)
def test_many_who_write_and_seal_at_once_seal_each_event_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 20)

    def write() -> None:
        for _ in range(10):
            record_some(3)

    def write_slowly() -> None:
        with transaction.atomic():
            write()

    def seal_often() -> None:
        for _ in range(6):
            seal()

    def take_back() -> None:
        with transaction.atomic():
            write()
            transaction.set_rollback(True)

    work: list[Callable[[], None]] = [write, write, write_slowly, take_back, seal_often, seal_often]
    at_once(work)
    seal()
    assert len(sealed_ids()) == len(set(sealed_ids())) == 90
    assert is_good()


@pytest.mark.django_db(transaction=True)
def test_two_sealers_at_once_make_one_key_and_one_chain() -> None:
    ids = record_some(5)
    at_once([seal] * 4)
    assert sealed_ids() == ids
    assert AuditKey.objects.count() == 1
    assert is_good()


@pytest.mark.django_db(transaction=True)
def test_verifying_while_others_write_and_seal_finds_nothing() -> None:
    def work() -> None:
        for _ in range(8):
            record_and_seal(3)

    def look() -> bool:
        return all(is_good() for _ in range(5))

    assert at_once([work, work, look]) == [None, None, True]


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        'INSERT INTO "audit_keys"',
        'INSERT INTO "audit_segments"',
        'INSERT INTO "audit_leaves"',
        'INSERT INTO "audit_commitments"',
        'DELETE FROM "audit_unsealed"',
        "RELEASE SAVEPOINT",
    ],
)
@pytest.mark.django_db(transaction=True)
def test_who_is_killed_while_sealing_has_sealed_nothing(statement: str) -> None:
    ids = record_some(4)
    killed = run_python(
        "from django.db import connection\n"
        "from audit.sealing import seal\n"
        "def die(execute, sql, params, many, context):\n"
        f"    if sql.startswith({statement!r}):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return execute(sql, params, many, context)\n"
        "with connection.execute_wrapper(die):\n"
        "    seal()\n"
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not Segment.objects.exists()
    assert UnsealedEvent.objects.count() == 4
    seal()
    assert sealed_ids() == ids
    assert is_good()


@pytest.mark.django_db(transaction=True)
def test_rotating_waits_for_the_batch_that_is_being_sealed() -> None:
    record_and_seal()
    with transaction.atomic():
        keys.signer(actor=ACTOR)
        waiting = meanwhile(partial(keys.rotate, actor=ACTOR))
        assert not waiting.done()
    assert waiting.result(timeout=60).retired_at is None
    assert is_good()


def test_an_event_goes_to_the_queue_in_the_transaction_that_records_it(db: None) -> None:
    with transaction.atomic():
        record_some(3)
        assert UnsealedEvent.objects.count() == 3
        transaction.set_rollback(True)
    connection.set_rollback(False)
    assert not UnsealedEvent.objects.exists()


def test_a_week_has_a_partition_for_what_goes_with_its_events(db: None) -> None:
    record_and_seal(1, at=MONDAY)
    with connection.cursor() as cursor:
        for table in ("audit_leaves", "audit_commitments"):
            cursor.execute(f"SELECT count(*) FROM {Week(MONDAY).partition_of(table)}")  # noqa: S608
            assert cursor.fetchone()[0]


def test_late_ones_are_named(db: None, caplog: pytest.LogCaptureFixture) -> None:
    record_and_seal()
    assert "more than an hour after" not in caplog.text
    [late] = record_and_seal(at=clock.now() - timedelta(hours=2))
    assert f"1 audit events were recorded more than an hour after they happened: {late}" in caplog.text
    assert verify().said == [f"remark (late): event {late} was recorded more than an hour after it happened"]


def test_a_worker_that_was_away_makes_nothing_late(db: None, caplog: pytest.LogCaptureFixture) -> None:
    record_and_seal(at=MONDAY)
    for hours in range(1, 60, 7):
        record_some(2, at=MONDAY + timedelta(hours=hours))
    seal()
    assert "more than an hour after" not in caplog.text
    assert verify().said == []
