"""Revoking certificates."""

from collections.abc import Iterable, Sequence
from functools import partial
from uuid import UUID

from django.db import transaction

from audit.models import EventType
from audit.recording import record_many
from cerply import clock
from cerply.permissions import Actor
from certificates import status_lists
from certificates.models import Certificate, RevocationCode
from certificates.standing import change_many, event_of


@transaction.atomic
def revoke(
    certificate_id: UUID, reason: str, *, actor: Actor, code: RevocationCode = RevocationCode.OTHER
) -> Certificate:
    """Ends it for good. Of several calls the first one counts; each gets what the first one wrote."""
    [certificate] = Certificate.objects.locked([certificate_id])
    if can_be_revoked(certificate):
        _revoke([certificate], reason=reason, code=code, actor=actor)
    return certificate


def revoke_many(ids: Iterable[UUID], reason: str, *, actor: Actor, code: RevocationCode = RevocationCode.OTHER) -> int:
    """Those that are not revoked yet, batch by batch. Returns how many there were."""
    return change_many(ids, can_be_revoked, partial(_revoke, reason=reason, code=code, actor=actor))


def can_be_revoked(certificate: Certificate) -> bool:
    return not certificate.revoked_at


def _revoke(certificates: Sequence[Certificate], *, reason: str, code: RevocationCode, actor: Actor) -> None:
    now = clock.now()
    for certificate in certificates:
        certificate.revoked_at, certificate.revocation_reason, certificate.revocation_code = now, reason, code
    Certificate.objects.bulk_update(certificates, ["revoked_at", "revocation_reason", "revocation_code"])
    status_lists.mark_all([certificate.credential for certificate in certificates], holds=False)
    what = {"reason": reason, "code": code}
    record_many([event_of(EventType.CERTIFICATE_REVOKED, each, what) for each in certificates], actor=actor)
