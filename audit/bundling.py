"""A bundle: events with what proves them, to be checked by `docs/verify_audit_bundle.py`, without us and for ever.

Lines of JSON. The first says what the bundle is; then come the keys; then each head from the first that concerns it to
the newest, every one followed by its events that are in the bundle, with their inclusion proofs; the last is signed
and says the hash of all before it, so that nothing is missing from the end.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from audit import heads, keys, leaves, merkle, verifying
from audit.exporting import ID_TOLERANCE, Selection
from audit.models import NO_ORGANIZATION, AuditEvent, AuditKey, Commitment, Segment, SegmentLeaves
from audit.partitions import Week, existing
from cerply import clock
from cerply.permissions import Actor

KIND = "cerply-audit-bundle-1"
END = "cerply-audit-bundle-end-1"


def bundle_of(selection: Selection, *, actor: Actor) -> Iterator[bytes]:
    """The lines. Of a selection by time alone, segments that may have events of it are there with all of theirs."""
    with transaction.atomic():
        signer = keys.signer(actor=actor)
    digest, counted = sha256(), {"heads": 0, "events": 0}
    for line in _lines(selection):
        for name in counted:
            counted[name] += name.removesuffix("s") in line
        encoded = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        digest.update(encoded)
        yield encoded
    statement = {"kind": END, **counted, "sha256": digest.hexdigest(), "keyId": str(signer.key.id)}
    signature = signer.sign(leaves.canonical(statement))
    yield json.dumps({"end": statement, "signature": signature.hex()}).encode() + b"\n"


def _lines(selection: Selection) -> Iterator[dict[str, Any]]:
    chain = selection.organization_id or NO_ORGANIZATION
    yield {
        "bundle": KIND,
        "installation": settings.PUBLIC_URL,
        "organizationId": None if chain == NO_ORGANIZATION else str(chain),
        "selection": selection.as_json(),
        "whole": selection.is_whole,
        "madeAt": clock.rfc3339(clock.now()),
    }
    for key in AuditKey.objects.order_by("created_at", "id"):
        yield {"key": heads.key_as_json(key)}
    for segments in verifying.batches(chain, _before_first(chain, selection)):
        yield from _segments(segments, selection)


def _before_first(chain: UUID, selection: Selection) -> int:
    """The number after which the bundle begins: with a head that shows that all before it are too old."""
    if selection.since is None:
        return 0
    old = Segment.objects.for_organization(chain).filter(latest_at__lt=selection.since).order_by("-number").first()
    return old.number - 1 if old else 0


def _segments(segments: Sequence[Segment], selection: Selection) -> Iterator[dict[str, Any]]:
    present = set(existing())
    for day, members in groupby(segments, key=lambda segment: segment.week):
        own = list(members)
        wanted = [segment.id for segment in own if Week.of_day(day) in present and _may_have(segment, selection)]
        contents = SegmentLeaves.objects.in_bulk(wanted)
        for segment in own:
            yield {"head": heads.as_json(segment)}
            if segment.id in contents:
                yield from _events(segment, SegmentLeaves.unpacked(bytes(contents[segment.id].content)), selection)


def _may_have(segment: Segment, selection: Selection) -> bool:
    """Whether its head leaves it open that it has events of the time. Who checks the bundle asks the same."""
    first = datetime.fromtimestamp((segment.id.int >> 80) / 1000, UTC)
    too_old = selection.since is not None and segment.latest_at < selection.since
    return not too_old and (selection.before is None or first < selection.before + ID_TOLERANCE)


def _events(segment: Segment, rows: Sequence[tuple[UUID, bytes]], selection: Selection) -> Iterator[dict[str, Any]]:
    ids = [key for key, _ in rows]
    events = {event.id: event for event in AuditEvent.objects.filter(id__gte=ids[0], id__lte=ids[-1], id__in=ids)}
    chosen = {key for key, event in events.items() if selection.is_whole or selection.has(event)}
    commitments = verifying.commitments_to(chosen)
    levels = merkle.levels_of([digest for _, digest in rows]) if chosen else []
    for index, key in enumerate(ids):
        if key in chosen:
            yield {
                "event": leaves.as_json(events[key]),
                "number": segment.number,
                "index": index,
                "proof": [neighbour.hex() for neighbour in merkle.path_of(levels, index)],
                "personal": _personal(commitments.get(key, ())),
            }


def _personal(commitments: Sequence[Commitment]) -> Mapping[str, Any]:
    return {
        row.field: {"salt": bytes(row.salt).hex() if row.salt else None, "digest": bytes(row.digest).hex()}
        for row in commitments
    }
