"""Data Integrity proofs with the cryptosuite ``eddsa-rdfc-2022`` (W3C, Data Integrity EdDSA Cryptosuites v1.0, 3.2).

Ed25519 signs 64 bytes: the SHA-256 of the canonical proof options, and that of the canonical document.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import base58
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cerply.clock import rfc3339_seconds
from certificates.jsonld import canonical_hash

CRYPTOSUITE = "eddsa-rdfc-2022"
# Multibase: base58btc. Multicodec: an Ed25519 public key.
BASE58BTC = "z"
ED25519_PUBLIC_KEY = b"\xed\x01"
SIGNATURE_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Signed:
    """A document with its proof; ``digest`` is what was signed."""

    document: dict[str, Any]
    digest: bytes
    proof_value: str

    @property
    def text(self) -> str:
        """As it is stored and given away."""
        return json.dumps(self.document, ensure_ascii=False, separators=(",", ":"))


def options(verification_method: str, created: datetime) -> dict[str, Any]:
    """A proof without its value."""
    return {
        "type": "DataIntegrityProof",
        "cryptosuite": CRYPTOSUITE,
        "created": rfc3339_seconds(created),
        "verificationMethod": verification_method,
        "proofPurpose": "assertionMethod",
    }


def digest(document: Mapping[str, Any], proof: Mapping[str, Any]) -> bytes:
    """What the proof signs. The document and the proof may be those of a signed one, complete."""
    bare = {name: value for name, value in proof.items() if name != "proofValue"}
    unsigned = {name: value for name, value in document.items() if name != "proof"}
    return canonical_hash({"@context": document["@context"], **bare}) + canonical_hash(unsigned)


@lru_cache(maxsize=4096)
def digest_of_text(text: str) -> bytes:
    """That of a signed document as it was written; remembered, for documents never change."""
    document = json.loads(text)
    return digest(document, document["proof"])


def verifies(public_key: bytes, signed: bytes, proof_value: str) -> bool:
    """Whether the key's private half made this proof of the digest. Anything that is no proof value is False."""
    signature = decode(proof_value)
    if signature is None or len(signature) != SIGNATURE_LENGTH:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def encode(value: bytes) -> str:
    """Multibase, base58btc."""
    return BASE58BTC + base58.b58encode(value).decode()


def decode(text: str) -> bytes | None:
    """The bytes that a multibase text in base58btc stands for; None for any other text. One value has one spelling."""
    if not text.startswith(BASE58BTC) or len(text) > 128:
        return None
    try:
        value = base58.b58decode(text[1:])
    except ValueError:
        return None
    return value if encode(value) == text else None


def multikey(public_key: bytes) -> str:
    """An Ed25519 public key as ``publicKeyMultibase``."""
    return encode(ED25519_PUBLIC_KEY + public_key)
