"""The key that seals PDFs, and its certificate: read from PEM, and checked to be of use."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key


class Unusable(Exception):
    """What is wrong with one of the two, as the rest of a sentence that begins with its name."""


@dataclass(frozen=True)
class Seal:
    """``certificates``: the key's own first, then that of each one's issuer; the last issuer's may be left out."""

    certificates: tuple[x509.Certificate, ...]
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def ends_at(self) -> datetime:
        """When the first of its certificates runs out."""
        return min(certificate.not_valid_after_utc for certificate in self.certificates)

    def holds_at(self, moment: datetime) -> bool:
        begins_at = max(certificate.not_valid_before_utc for certificate in self.certificates)
        return begins_at <= moment <= self.ends_at


def read_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise Unusable("must not have a passphrase: nobody is there to type it.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Unusable("must name a file with one private key in PEM.") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Unusable("must be a P-256 key. Make one with: openssl ecparam -name prime256v1 -genkey -noout")
    return key


def read_certificates(pem: bytes, key: ec.EllipticCurvePrivateKey, now: datetime) -> tuple[x509.Certificate, ...]:
    try:
        certificates = tuple(x509.load_pem_x509_certificates(pem))
        public_key = certificates[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise Unusable("must name a file with certificates in PEM, that of the key first.") from None
    if public_key != key.public_key():
        raise Unusable("does not belong to PDF_SEAL_KEY: its first certificate must be that of the key.")
    for certificate, issuer in pairwise(certificates):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            raise Unusable("is not a chain: after each certificate must come that of its issuer.") from None
    if not _may_sign(certificates[0]):
        raise Unusable("must be allowed to sign: its key usage has neither digitalSignature nor nonRepudiation.")
    for certificate in certificates:
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not begins <= now <= ends:
            raise Unusable(f"is not in its time, which is from {begins:%Y-%m-%d} to {ends:%Y-%m-%d}: renew it.")
    return certificates


def _may_sign(certificate: x509.Certificate) -> bool:
    """Whether readers take its signatures. Without the extension it may do everything."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False
    return usage.digital_signature or usage.content_commitment
