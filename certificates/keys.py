"""The organizations' Ed25519 keys. A private half is encrypted at rest, and in clear only while it signs.

At rest it is the 32 bytes of the key as `cerply.encryption` encrypts them, bound to the organization and the key's id.
"""

from collections.abc import Iterator
from functools import partial
from typing import Protocol
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.accounts.models import Organization
from cerply.encryption import Secret, decrypt, encrypt
from cerply.permissions import Actor
from certificates.models import SigningKey, StatusList
from certificates.models.issuers import SigningKeyQuerySet
from ops.wake import enqueue


class Signer(Protocol):
    """Whatever holds a private key: this module, or one day a KMS or an HSM."""

    @property
    def key(self) -> SigningKey: ...

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature, 64 bytes."""


class LocalSigner:
    """Signs with a key that our own database keeps, encrypted."""

    def __init__(self, key: SigningKey) -> None:
        self.key = key
        self._private_key = Ed25519PrivateKey.from_private_bytes(_unseal(key))

    def __repr__(self) -> str:
        return f"<LocalSigner {self.key.id}>"

    def sign(self, message: bytes) -> bytes:
        return self._private_key.sign(message)


def signer_of(organization_id: UUID, *, actor: Actor) -> Signer:
    """The signer with the organization's active key, which is made when it is first needed.

    The key stays the active one until the caller's transaction ends.
    """
    keys = SigningKey.objects.for_organization(organization_id).active()
    key = keys.select_for_update(no_key=True).first()
    if key is None:
        Organization.objects.locked().get(id=organization_id)
        key = keys.first() or _create(organization_id, EventType.SIGNING_KEY_CREATED, actor)
    return LocalSigner(key)


@transaction.atomic
def rotate(organization_id: UUID, *, actor: Actor) -> SigningKey:
    """Retires the active key and makes a new one. What the old one signed stays verifiable."""
    Organization.objects.locked().get(id=organization_id)
    SigningKey.objects.for_organization(organization_id).active().update(retired_at=clock.now())
    return _create(organization_id, EventType.SIGNING_KEY_ROTATED, actor)


@transaction.atomic
def compromise(key_id: UUID, *, actor: Actor, reason: str) -> SigningKey:
    """Somebody else may have the private half: nothing that the key signed counts any more, whenever it did.

    An active one is replaced first. What is genuine is signed again by `certificates.signing_again`. Doing it twice
    changes nothing.
    """
    organization_id = SigningKey.objects.values_list("organization_id", flat=True).get(id=key_id)
    Organization.objects.locked().get(id=organization_id)
    key = SigningKey.objects.select_for_update().get(id=key_id)
    if key.compromised_at:
        return key
    if key.retired_at is None:
        rotate(organization_id, actor=actor)
        key.refresh_from_db()
    key.compromised_at = clock.now()
    key.save(update_fields=["compromised_at"])
    # Those that it signed are signed anew when they are fetched next.
    StatusList.objects.filter(issuer__organization_id=organization_id).update(document="", jwt="")
    event = Event(EventType.SIGNING_KEY_COMPROMISED, organization_id, "signing_key", key.id, {"reason": reason})
    record(event, actor=actor)
    enqueue("certificates.signing_again.sign_again")
    return key


def secrets() -> Iterator[Secret]:
    """The private halves of all keys."""
    for key in SigningKey.objects.order_by("created_at", "id"):
        sealed = bytes(key.sealed_private_key)
        row = SigningKey.objects.filter(id=key.id, sealed_private_key=sealed)
        yield Secret(sealed, _bound_to(key), _named(key), partial(_replace, row))


def _replace(row: SigningKeyQuerySet, sealed: bytes) -> int:
    return row.update(sealed_private_key=sealed)


def _create(organization_id: UUID, event: EventType, actor: Actor) -> SigningKey:
    private_key = Ed25519PrivateKey.generate()
    key = SigningKey(
        id=uuid4(), organization_id=organization_id, public_key=private_key.public_key().public_bytes_raw()
    )
    key.sealed_private_key = encrypt(private_key.private_bytes_raw(), _bound_to(key))
    key.save(force_insert=True)
    public = {"publicKey": bytes(key.public_key).hex()}
    record(Event(event, organization_id, "signing_key", key.id, public), actor=actor)
    return key


def _unseal(key: SigningKey) -> bytes:
    return decrypt(bytes(key.sealed_private_key), _bound_to(key), _named(key))


def _named(key: SigningKey) -> str:
    return f"signing key {key.id}"


def _bound_to(key: SigningKey) -> bytes:
    return b"cerply signing key" + key.organization_id.bytes + key.id.bytes
