"""Signing documents as an issuer, and telling whether a signature is genuine."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pyld.jsonld import JsonLdError

from certificates import proofs
from certificates.issuers import method_id
from certificates.keys import Signer
from certificates.models import Credential, Issuer


def sign(document: Mapping[str, Any], issuer: Issuer, signer: Signer, created: datetime) -> proofs.Signed:
    """The document with a proof by the signer's key; a proof that it has is replaced."""
    proof = proofs.options(method_id(issuer, signer.key), created)
    digest = proofs.digest(document, proof)
    proof_value = proofs.encode(signer.sign(digest))
    unsigned = {name: value for name, value in document.items() if name != "proof"}
    return proofs.Signed({**unsigned, "proof": {**proof, "proofValue": proof_value}}, digest, proof_value)


def jwt(document: Mapping[str, Any], issuer: Issuer, signer: Signer) -> str:
    """The document enveloped in a JWT (W3C, Securing Verifiable Credentials using JOSE and COSE, 3.1)."""
    header = {"alg": "EdDSA", "typ": "vc+jwt", "cty": "vc", "kid": method_id(issuer, signer.key), "iss": issuer.did}
    content = b".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, document))
    return (content + b"." + _base64url(signer.sign(content))).decode()


def _says(text: str, digest: bytes) -> bool:
    """Whether the document is the one that has the digest. One that is no JSON-LD any more is another."""
    try:
        return proofs.digest_of_text(text) == digest
    except (JsonLdError, ValueError, LookupError, TypeError):
        return False


def _base64url(value: bytes) -> bytes:
    return urlsafe_b64encode(value).rstrip(b"=")


def is_intact(credential: Credential) -> bool:
    """Whether its key made its signature, of what the document says. Of an erased one only the digest is left."""
    digest = bytes(credential.digest)
    if credential.document and not _says(credential.document, digest):
        return False
    return proofs.verifies(bytes(credential.key.public_key), digest, credential.proof_value)


def is_genuine(credential: Credential, proof_value: str) -> bool:
    """Whether this is the credential's signature, made by a key that still counts for what the document says."""
    return proof_value == credential.proof_value and credential.key.compromised_at is None and is_intact(credential)
