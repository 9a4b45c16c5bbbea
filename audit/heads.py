"""The head of a segment: what is signed of it, and what goes outside so that nobody rewrites the chain unseen."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from audit.keys import Signer, has_signed
from audit.leaves import canonical
from audit.models import NO_ORGANIZATION, AuditKey, Segment
from cerply import clock

# Also what keeps the signature apart from those of other things.
KIND = "cerply-audit-head-1"
# What the first of a chain says of the one before.
BEGINNING = bytes(32)
TEXT = re.compile(r"([0-9a-f-]{36})/([1-9][0-9]{0,17})/([0-9a-f]{64})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Head:
    """What somebody outside keeps: that the segment of this number has this hash.

    As text: ``<organization>/<number>/<hash>``.
    """

    organization_id: UUID
    number: int
    hash: bytes

    @classmethod
    def of(cls, segment: Segment) -> "Head":
        return cls(segment.organization_id, segment.number, bytes(segment.hash))

    @classmethod
    def parse(cls, text: str) -> "Head | None":
        found = TEXT.fullmatch(text.strip())
        try:
            return cls(UUID(found[1]), int(found[2]), bytes.fromhex(found[3])) if found else None
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.organization_id}/{self.number}/{self.hash.hex()}"


def statement_of(segment: Segment) -> dict[str, Any]:
    """What is signed, as JSON; its hash is that of the canonical form."""
    platform = segment.organization_id == NO_ORGANIZATION
    return {
        "kind": KIND,
        "organizationId": None if platform else str(segment.organization_id),
        "number": segment.number,
        "week": f"{segment.week:%Y-%m-%d}",
        "size": segment.size,
        "total": segment.total,
        "firstId": str(segment.id),
        "latestAt": clock.rfc3339(segment.latest_at),
        "root": bytes(segment.root).hex(),
        "previous": bytes(segment.previous).hex(),
        "sealedAt": clock.rfc3339(segment.sealed_at),
        "keyId": str(segment.key_id),
    }


def sign(segment: Segment, signer: Signer) -> None:
    """Sets the key, the hash and the signature of a segment that is not saved yet."""
    segment.key = signer.key
    message = canonical(statement_of(segment))
    segment.hash, segment.signature = sha256(message).digest(), signer.sign(message)


def is_intact(segment: Segment) -> bool:
    """Whether its hash is that of what it says."""
    return sha256(canonical(statement_of(segment))).digest() == bytes(segment.hash)


def is_signed(segment: Segment, key: AuditKey) -> bool:
    return has_signed(key, bytes(segment.signature), canonical(statement_of(segment)))


def as_json(segment: Segment) -> dict[str, Any]:
    """As the API gives it: `statement_of`, with what proves it."""
    return {
        "head": str(Head.of(segment)),
        "statement": statement_of(segment),
        "hash": bytes(segment.hash).hex(),
        "signature": bytes(segment.signature).hex(),
    }


def key_as_json(key: AuditKey) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "publicKey": bytes(key.public_key).hex(),
        "createdAt": clock.rfc3339(key.created_at),
        "retiredAt": clock.rfc3339(key.retired_at) if key.retired_at else None,
    }
