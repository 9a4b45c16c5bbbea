"""The seal of a PDF: a signature of whoever runs Cerply, which PDF readers show. Off unless it is configured.

It adds to the credential, and takes nothing's place: `certificates.verifying` knows a PDF by its hash, and never asks
for a seal.
"""

from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

from cerply import clock
from cerply.seal import Seal


class Sealer(Protocol):
    """Whatever holds the private key: this process, or one day an HSM."""

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """The key's own first, then that of each one's issuer."""

    def sign(self, message: bytes) -> bytes:
        """ECDSA over P-256 with SHA-256, in DER."""


class LocalSealer:
    """Signs with the key that the environment names."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def __repr__(self) -> str:
        return f"<LocalSealer {self.certificates[0].subject.rfc4514_string()}>"

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        return self._seal.certificates

    def sign(self, message: bytes) -> bytes:
        return self._seal.key.sign(message, ec.ECDSA(hashes.SHA256()))


class SealLapsed(Exception):
    """The seal's certificate ran out while the process was running. What is sealed already is not touched by it."""


def sealer() -> Sealer | None:
    """None where PDFs are not sealed. A lapsed one is no reason to give away, for good, a file without its seal."""
    seal: Seal | None = settings.PDF_SEAL
    if seal is None:
        return None
    if not seal.holds_at(clock.now()):
        raise SealLapsed(
            f"The certificate of PDF_SEAL_CERTIFICATE holds until {seal.ends_at:%Y-%m-%d}. Put a new one in its place "
            "and start again; until then nothing new is rendered."
        )
    return LocalSealer(seal)


def seal(content: bytes) -> bytes:
    """The file and its seal after it; as it is where none is configured. Two seals of a file are never the same."""
    holder = sealer()
    if holder is None:
        return content
    # It takes a second to load, and most installations never seal.
    from certificates import pades

    return pades.sign(content, holder, clock.now())
