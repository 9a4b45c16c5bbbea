"""Organizations as issuers: their DID, and the documents that tell which keys speak for it."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from typing import Any

from django.conf import settings

from cerply.accounts.models import Organization
from certificates import proofs
from certificates.models import Issuer, SigningKey

DID_CONTEXTS = ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"]


def issuer_of(organization: Organization) -> Issuer:
    """Her issuer, which is made when it is first needed."""
    issuer, _ = Issuer.objects.get_or_create(organization=organization, defaults={"host": settings.ISSUER_HOST})
    return issuer


def host_problem() -> str | None:
    """One line, if ``ISSUER_HOST`` was changed after it was first used."""
    other = Issuer.objects.exclude(host=settings.ISSUER_HOST).values_list("host", flat=True).first()
    if other is None or not settings.ISSUER_HOST_IS_FINAL:
        return None
    # A demo's own host has a port, and cannot be set where it is final.
    advice = "Start with a database of your own." if ":" in other else f"Set ISSUER_HOST={other}."
    return (
        f"ISSUER_HOST is {settings.ISSUER_HOST}, but certificates were issued under {other}, where verifiers look for "
        f"their keys. {advice}"
    )


def did_document_url(issuer: Issuer) -> str:
    """Where ``did:web`` looks for it."""
    return f"{settings.ISSUER_URL}/issuers/{issuer.id}/did.json"


def method_id(issuer: Issuer, key: SigningKey) -> str:
    """The DID URL of a key: what proofs name as ``verificationMethod``."""
    return f"{issuer.did}#{key.id}"


def trusted_keys(issuer: Issuer) -> list[SigningKey]:
    """The keys that speak for the issuer, the newest first: also the retired ones, whose signatures still count."""
    return list(SigningKey.objects.for_organization(issuer.organization_id).trusted())


def did_document(issuer: Issuer, keys: Iterable[SigningKey]) -> dict[str, Any]:
    """The DID document (W3C, Decentralized Identifiers v1.0). A compromised key is in neither of its lists."""
    methods = [
        {
            "id": method_id(issuer, key),
            "type": "Multikey",
            "controller": issuer.did,
            "publicKeyMultibase": proofs.multikey(bytes(key.public_key)),
        }
        for key in keys
    ]
    return {
        "@context": DID_CONTEXTS,
        "id": issuer.did,
        "verificationMethod": methods,
        "assertionMethod": [method["id"] for method in methods],
    }


def key_set(issuer: Issuer, keys: Iterable[SigningKey]) -> dict[str, Any]:
    """The same keys as a JWK Set (RFC 7517, RFC 8037)."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": urlsafe_b64encode(bytes(key.public_key)).rstrip(b"=").decode(),
                "kid": method_id(issuer, key),
                "alg": "EdDSA",
                "use": "sig",
            }
            for key in keys
        ]
    }
