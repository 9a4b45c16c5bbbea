"""An event as JSON, and as the entry of a leaf: canonical, and with a commitment in the place of what is personal."""

import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import rfc8785

from audit import merkle, personal
from audit.models import AuditEvent, Commitment
from cerply import clock

SALT_LENGTH = 32
# The integers that every reader of JSON has as they are.
LARGEST_INTEGER = 2**53 - 1


def as_json(event: AuditEvent) -> dict[str, Any]:
    """As the API gives it and the log tells it. What is sealed was hashed like this: what it says stays as it is."""
    return {
        "id": str(event.id),
        "organizationId": _text(event.organization_id),
        "type": str(event.type),
        "subject": {"kind": event.subject_kind, "id": _text(event.subject_id)},
        "actor": {"kind": str(event.actor_kind), "id": _text(event.actor_id), "label": event.actor_label},
        "requestId": event.request_id,
        "metadata": event.metadata,
        "occurredAt": clock.rfc3339(event.occurred_at),
    }


def commit_to(event: AuditEvent) -> list[Commitment]:
    """New commitments to its personal fields, each under a salt of its own."""
    _, fields = personal.divided(event.type, event.metadata)
    rows = []
    for field, value in fields.items():
        salt = secrets.token_bytes(SALT_LENGTH)
        rows.append(Commitment(event_id=event.id, field=field, salt=salt, digest=committed(salt, value)))
    return rows


def committed(salt: bytes, value: Any) -> bytes:
    return hmac.digest(salt, canonical(value), "sha256")


def hash_of(event: AuditEvent, digests: Mapping[str, bytes]) -> bytes:
    """The hash of its leaf. ``digests``: the commitments to its personal fields.

    Those say what of the metadata is personal, and not `audit.personal`, which another release may know better.
    """
    rest = {field: value for field, value in personal.fields_of(event.metadata).items() if field not in digests}
    entry = {
        "event": as_json(event) | {"metadata": rest},
        "personal": {field: digest.hex() for field, digest in digests.items()},
    }
    return merkle.leaf_hash(canonical(entry))


def canonical(value: Any) -> bytes:
    """JSON as RFC 8785 writes it. A number that JSON's readers do not agree about is written as a string."""
    try:
        return rfc8785.dumps(value)
    except (rfc8785.IntegerDomainError, rfc8785.FloatDomainError):
        return rfc8785.dumps(_interoperable(value))


def _interoperable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _interoperable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_interoperable(each) for each in value]
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return str(value)
    return value


def _text(key: UUID | None) -> str | None:
    return str(key) if key else None
