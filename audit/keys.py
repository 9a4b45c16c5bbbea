"""The installation's Ed25519 key that signs heads. Its private half is encrypted at rest (`cerply.encryption`)."""

from collections.abc import Iterator
from functools import partial

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.db import IntegrityError, transaction

from audit.models import AuditKey, EventType
from audit.models.evidence import AuditKeyQuerySet
from audit.recording import Event, record
from cerply import clock
from cerply.encryption import KeyUnavailable, Secret, decrypt, encrypt
from cerply.permissions import Actor


class Signer:
    def __init__(self, key: AuditKey) -> None:
        self.key = key
        self._private_key = _private_key(key)

    def __repr__(self) -> str:
        return f"<Signer {self.key.id}>"

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._private_key.sign(message)


def signer(*, actor: Actor) -> Signer:
    """The signer with the active key, which is made when it is first needed. Nobody else has it until the caller's
    transaction ends.
    """
    keys = AuditKey.objects.active().select_for_update(no_key=True)
    key = keys.first()
    if key is None:
        try:
            with transaction.atomic():
                key = _create(EventType.AUDIT_KEY_CREATED, actor)
        except IntegrityError:  # somebody else has made it meanwhile
            key = keys.get()
    return Signer(key)


@transaction.atomic
def rotate(*, actor: Actor) -> AuditKey:
    """Retires the active key and makes a new one. What the old one signed stays verifiable."""
    AuditKey.objects.active().update(retired_at=clock.now())
    return _create(EventType.AUDIT_KEY_ROTATED, actor)


def is_ours(key: AuditKey) -> bool:
    """Whether somebody made it who has one of ``KEY_ENCRYPTION_KEYS``: who has the database alone cannot."""
    try:
        return _private_key(key).public_key().public_bytes_raw() == bytes(key.public_key)
    except (KeyUnavailable, ValueError):
        return False


def has_signed(key: AuditKey, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes(key.public_key)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def secrets() -> Iterator[Secret]:
    """The private halves of all keys."""
    for key in AuditKey.objects.order_by("created_at", "id"):
        sealed = bytes(key.sealed_private_key)
        row = AuditKey.objects.filter(id=key.id, sealed_private_key=sealed)
        yield Secret(sealed, _bound_to(key), _named(key), partial(_replace, row))


def _replace(row: AuditKeyQuerySet, sealed: bytes) -> int:
    return row.update(sealed_private_key=sealed)


def _create(event: EventType, actor: Actor) -> AuditKey:
    private_key = Ed25519PrivateKey.generate()
    key = AuditKey(public_key=private_key.public_key().public_bytes_raw())
    key.sealed_private_key = encrypt(private_key.private_bytes_raw(), _bound_to(key))
    key.save(force_insert=True)
    record(Event(event, None, "audit_key", key.id, {"publicKey": bytes(key.public_key).hex()}), actor=actor)
    return key


def _private_key(key: AuditKey) -> Ed25519PrivateKey:
    opened = decrypt(bytes(key.sealed_private_key), _bound_to(key), _named(key))
    return Ed25519PrivateKey.from_private_bytes(opened)


def _named(key: AuditKey) -> str:
    return f"audit key {key.id}"


def _bound_to(key: AuditKey) -> bytes:
    return b"cerply audit key" + key.id.bytes
