"""Secrets at rest: encrypted with a key that the database does not have.

A nonce of 12 bytes, then AES-256-GCM under the first of ``KEY_ENCRYPTION_KEYS``, bound to what the secret belongs to as
associated data: in another row it does not open. Older keys of that list still decrypt.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE_LENGTH = 12


class KeyUnavailable(Exception):
    """None of ``KEY_ENCRYPTION_KEYS`` opens a secret: the right one is missing from the environment."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One that a row holds. ``replace`` puts another encryption of it there, unless the row has changed meanwhile."""

    sealed: bytes
    bound_to: bytes
    named: str
    replace: Callable[[bytes], int]

    @property
    def is_current(self) -> bool:
        """Whether the first of the keys opens it."""
        try:
            _open(self.sealed, self.bound_to, settings.KEY_ENCRYPTION_KEYS[0])
        except InvalidTag:
            return False
        return True

    def encrypt_anew(self) -> int:
        """With the first of the keys. Raises `KeyUnavailable`."""
        return self.replace(encrypt(decrypt(self.sealed, self.bound_to, self.named), self.bound_to))


def encrypt(secret: bytes, bound_to: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_LENGTH)
    return nonce + AESGCM(settings.KEY_ENCRYPTION_KEYS[0]).encrypt(nonce, secret, bound_to)


def decrypt(sealed: bytes, bound_to: bytes, named: str) -> bytes:
    """``named``: what it is the secret of, for the message of `KeyUnavailable`."""
    for encryption_key in settings.KEY_ENCRYPTION_KEYS:
        try:
            return _open(sealed, bound_to, encryption_key)
        except InvalidTag:
            continue
    raise KeyUnavailable(f"KEY_ENCRYPTION_KEYS has no key that opens {named}.")


def _open(sealed: bytes, bound_to: bytes, encryption_key: bytes) -> bytes:
    return AESGCM(encryption_key).decrypt(sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:], bound_to)
