"""Attacks on the chain of segments by whoever owns the database, and what verification says of each."""

from datetime import timedelta
from hashlib import sha256
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import heads, keys, merkle
from audit.findings import Kind
from audit.heads import Head
from audit.leaves import canonical, hash_of
from audit.models import (
    AuditEvent,
    AuditKey,
    Commitment,
    Segment,
    SegmentLeaves,
)
from audit.verifying import verify
from cerply import clock
from tests.audit.evidence import (
    OURS,
    found,
    newest,
    no_triggers,
    only,
    record_and_seal,
    tamper,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("others")]


@pytest.mark.parametrize(
    "change",
    [
        "size = size + 1",
        "total = total + 1",
        "week = week - 7",
        "root = sha256(root)",
        "previous = sha256(previous)",
        "latest_at = now()",
        "sealed_at = sealed_at - interval '1 day'",
    ],
)
def test_a_segment_that_is_changed(change: str) -> None:
    record_and_seal(2)
    tamper(f"UPDATE audit_segments SET {change} WHERE id = %s", [newest().id])  # noqa: S608
    assert f"segment {newest()} was changed" in found(verify(), Kind.CHAIN)


def test_a_segment_whose_hash_is_made_to_fit() -> None:
    record_and_seal(2)
    segment = newest()
    segment.sealed_at -= timedelta(days=1)
    forged = sha256(canonical(heads.statement_of(segment))).digest()
    tamper("UPDATE audit_segments SET sealed_at = %s, hash = %s WHERE id = %s", [segment.sealed_at, forged, segment.id])
    assert only(Kind.CHAIN) == [f"segment {segment} is not signed with key {segment.key_id}"]


def test_a_segment_that_is_removed() -> None:
    record_and_seal(2)
    gone = newest()
    record_and_seal(1)
    tamper("DELETE FROM audit_segments WHERE id = %s", [gone.id])
    report = verify()
    assert found(report, Kind.CHAIN) == [
        f"segments {OURS}/2 to 2 were removed",
        f"the segment that begins with event {gone.id} was removed",
    ]
    assert report.problems[Kind.SLIPPED_IN] == 2


def test_the_end_of_a_chain_that_is_cut_off_is_seen_by_who_has_a_head() -> None:
    record_and_seal(2)
    gone = newest()
    ids = [key for key, _ in SegmentLeaves.unpacked(bytes(SegmentLeaves.objects.get(segment_id=gone.id).content))]
    with no_triggers() as cursor:
        cursor.execute("DELETE FROM audit_segments WHERE id = %s", [gone.id])
        cursor.execute("DELETE FROM audit_leaves WHERE segment_id = %s", [gone.id])
        cursor.execute("DELETE FROM audit_commitments WHERE event_id = ANY(%s)", [ids])
        cursor.execute("DELETE FROM audit_events WHERE id = ANY(%s)", [ids])
    assert verify().is_good
    head = Head.of(gone)
    assert only(Kind.HEAD, known=[head]) == [
        f"head {head} is not there: the chain was cut off, or an older backup is in its place"
    ]


def rewrite(organization_id: UUID, key: AuditKey, private_key: Ed25519PrivateKey) -> None:
    """The chain anew, from the events that are there now: by somebody who has a key, and the database."""
    with no_triggers() as cursor:
        previous = heads.BEGINNING
        for segment in Segment.objects.for_organization(organization_id).order_by("number"):
            rows = SegmentLeaves.unpacked(bytes(SegmentLeaves.objects.get(segment_id=segment.id).content))
            events = AuditEvent.objects.in_bulk([event_id for event_id, _ in rows])
            leaves = []
            for event_id, _ in rows:
                own = Commitment.objects.filter(event_id=event_id)
                digests = {row.field: bytes(row.digest) for row in own}
                leaves.append((event_id, hash_of(events[event_id], digests)))
            segment.root, segment.previous, segment.key = merkle.root_of([leaf for _, leaf in leaves]), previous, key
            message = canonical(heads.statement_of(segment))
            previous = sha256(message).digest()
            cursor.execute(
                "UPDATE audit_segments SET root = %s, previous = %s, key_id = %s, hash = %s, signature = %s"
                " WHERE id = %s",
                [segment.root, segment.previous, key.id, previous, private_key.sign(message), segment.id],
            )
            cursor.execute(
                "UPDATE audit_leaves SET content = %s WHERE segment_id = %s", [SegmentLeaves.packed(leaves), segment.id]
            )


def test_a_chain_that_is_rewritten_with_another_key() -> None:
    [event] = record_and_seal()
    private_key = Ed25519PrivateKey.generate()
    own = AuditKey.objects.create(
        public_key=private_key.public_key().public_bytes_raw(),
        sealed_private_key=b"not under KEY_ENCRYPTION_KEYS",
        retired_at=clock.now(),
    )
    tamper("UPDATE audit_events SET actor_label = 'somebody else' WHERE id = %s", [event])
    rewrite(OURS, own, private_key)
    assert only(Kind.KEY)[-1] == (f"key {own.id}, which signed segment {newest()}, is not one of KEY_ENCRYPTION_KEYS")


def test_a_chain_that_is_rewritten_with_our_key_is_seen_by_who_has_a_head() -> None:
    [event] = record_and_seal()
    head = Head.of(newest())
    key = AuditKey.objects.get()
    tamper("UPDATE audit_events SET actor_label = 'somebody else' WHERE id = %s", [event])
    rewrite(OURS, key, keys._private_key(key))
    assert verify().is_good
    assert only(Kind.HEAD, known=[head]) == [
        f"head {head} is another one now: the chain was rewritten up to there, or before it"
    ]


def test_a_key_that_is_exchanged() -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    tamper("UPDATE audit_keys SET public_key = %s", [other])
    assert set(verify().problems) == {Kind.CHAIN, Kind.KEY}
