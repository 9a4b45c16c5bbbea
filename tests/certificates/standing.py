"""How a certificate stands, as others are told."""

from typing import Any
from urllib.parse import urlsplit

from audit.models import AuditEvent
from certificates.models import Certificate, Credential, StatusList
from tests.api.client import Api


def holds(certificate: Certificate) -> bool:
    """By its bit, as any verifier reads it."""
    credential = Credential.objects.get(id=certificate.credential_id)
    bits = bytes(StatusList.objects.get(id=credential.status_list_id).bits)
    return not bits[credential.status_index // 8] >> (7 - credential.status_index % 8) & 1


def verified(api: Api, certificate: Certificate) -> dict[str, Any]:
    parts = urlsplit(certificate.verification_url)
    return dict(api.get(f"{parts.path.removeprefix('/api')}?{parts.query}").body)


def events(type_: str) -> int:
    return AuditEvent.objects.filter(type=type_).count()
