"""Secrets at rest: encrypted with a key that the database does not have.

A nonce of 12 bytes, then AES-256-GCM under the first of ``KEY_ENCRYPTION_KEYS``, bound to what the secret belongs to as
associated data: in another row it does not open. Older keys of that list still decrypt.
"""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE_LENGTH = 12


class KeyUnavailable(Exception):
    """None of ``KEY_ENCRYPTION_KEYS`` opens a secret: the right one is missing from the environment."""


def encrypt(secret: bytes, bound_to: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_LENGTH)
    return nonce + AESGCM(settings.KEY_ENCRYPTION_KEYS[0]).encrypt(nonce, secret, bound_to)


def decrypt(sealed: bytes, bound_to: bytes, named: str) -> bytes:
    """``named``: what it is the secret of, for the message of `KeyUnavailable`."""
    nonce, ciphertext = sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:]
    for encryption_key in settings.KEY_ENCRYPTION_KEYS:
        try:
            return AESGCM(encryption_key).decrypt(nonce, ciphertext, bound_to)
        except InvalidTag:
            continue
    raise KeyUnavailable(f"KEY_ENCRYPTION_KEYS has no key that opens {named}.")
