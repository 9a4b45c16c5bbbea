"""A certificate authority of the tests, and what others say of what was sealed under it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cerply.seal import Seal

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def make_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass(frozen=True)
class Authority:
    key: ec.EllipticCurvePrivateKey = field(default_factory=make_key, repr=False)
    name: str = "Test authority"

    @property
    def certificate(self) -> x509.Certificate:
        return self.certify(self.key, self.name, for_authority=True, days=3650)

    def certify(
        self, key: Key, name: str = "Cerply", *, begins: int = -1, days: int = 365, for_authority: bool = False
    ) -> x509.Certificate:
        """``begins`` and ``days``: counted from now."""
        now = datetime.now(UTC)
        usage: dict[str, bool] = dict.fromkeys(
            ["key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"], False
        )
        usage |= {"digital_signature": not for_authority, "content_commitment": not for_authority}
        usage |= {"key_cert_sign": for_authority, "crl_sign": for_authority}
        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=begins))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=for_authority, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def make_seal(self, **certificate: Any) -> Seal:
        key = make_key()
        return Seal((self.certify(key, **certificate), self.certificate), key)


def pem_of_key(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def pem_of(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def write_seal(folder: Path, seal: Seal) -> dict[str, str]:
    """The variables that name its files."""
    (folder / "seal.pem").write_bytes(pem_of(*seal.certificates))
    (folder / "seal.key").write_bytes(pem_of_key(seal.key))
    return {"PDF_SEAL_CERTIFICATE": str(folder / "seal.pem"), "PDF_SEAL_KEY": str(folder / "seal.key")}
