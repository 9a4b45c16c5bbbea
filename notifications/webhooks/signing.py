"""Secrets of endpoints, and what is signed with them: Standard Webhooks 1.0 (https://www.standardwebhooks.com).

At rest a secret is 32 bytes as `cerply.encryption` encrypts them, bound to the organization and the endpoint.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from cerply import clock
from cerply.encryption import Secret, decrypt, encrypt
from notifications.models import WebhookEndpoint
from notifications.models.webhooks import WebhookEndpointQuerySet

PREFIX = "whsec_"
LENGTH = 32
# How long the former secret goes on signing, beside the new one.
OVERLAP = timedelta(hours=24)


def put_new_secret(endpoint: WebhookEndpoint, *, overlap: timedelta = OVERLAP) -> str:
    """Sets it in memory, beside the one that was there; returns what the receiver needs, which nobody can show again.

    What was the former one until now ends.
    """
    secret = secrets.token_bytes(LENGTH)
    if endpoint.sealed_secret and overlap:
        endpoint.former_sealed_secret, endpoint.former_until = endpoint.sealed_secret, clock.now() + overlap
    else:
        endpoint.former_sealed_secret, endpoint.former_until = b"", None
    endpoint.sealed_secret = encrypt(secret, _bound_to(endpoint))
    return PREFIX + base64.b64encode(secret).decode()


def sealed_secrets() -> Iterator[Secret]:
    """Those of all endpoints; of former ones, while they count."""
    for endpoint in WebhookEndpoint.objects.order_by("id"):
        names = ["sealed_secret"]
        if endpoint.former_until and endpoint.former_until > clock.now():
            names.append("former_sealed_secret")
        for name in names:
            sealed = bytes(getattr(endpoint, name))
            row = WebhookEndpoint.objects.filter(id=endpoint.id, **{name: sealed})
            yield Secret(sealed, _bound_to(endpoint), _named(endpoint), partial(_replace, row, name))


def _replace(row: WebhookEndpointQuerySet, name: str, sealed: bytes) -> int:
    return row.update(**{name: sealed})


def secrets_of(endpoint: WebhookEndpoint, moment: datetime) -> list[bytes]:
    """Those that sign, the newest first."""
    sealed = [endpoint.sealed_secret]
    if endpoint.former_until and endpoint.former_until > moment:
        sealed.append(endpoint.former_sealed_secret)
    return [decrypt(bytes(each), _bound_to(endpoint), _named(endpoint)) for each in sealed]


def signed_headers(message_id: str, moment: datetime, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The three headers; a signature by each of the keys, with a space between them."""
    timestamp = str(int(moment.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _named(endpoint: WebhookEndpoint) -> str:
    return f"webhook endpoint {endpoint.id}"


def _bound_to(endpoint: WebhookEndpoint) -> bytes:
    return b"cerply webhook endpoint" + endpoint.organization_id.bytes + endpoint.id.bytes
