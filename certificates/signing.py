"""What a certificate's signature is: Ed25519 over its statement as canonical JSON."""

import json

from certificates import keys
from certificates.models import Certificate


def sign(certificate: Certificate, signer: keys.Signer) -> None:
    """Fills in the key and the signature."""
    certificate.key = signer.key
    certificate.signature = signer.sign(message(certificate))


def is_genuine(certificate: Certificate, signature: str) -> bool:
    """Whether the signature was made for what the certificate says, by the key that it names."""
    return keys.verifies(certificate.key, message(certificate), signature)


def message(certificate: Certificate) -> bytes:
    """What is signed: sorted keys, no spaces, UTF-8: as RFC 8785 for values that are strings and nulls."""
    text = json.dumps(certificate.statement(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()
