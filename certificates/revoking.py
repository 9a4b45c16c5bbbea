"""Revoking certificates."""

from uuid import UUID

from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.permissions import Actor
from certificates import status_lists
from certificates.models import Certificate


@transaction.atomic
def revoke(certificate_id: UUID, reason: str, *, actor: Actor) -> Certificate:
    """Ends it for good. Of several calls the first one counts; each gets what the first one wrote."""
    certificates = Certificate.objects.select_related("credential").select_for_update(no_key=True, of=("self",))
    certificate = certificates.get(id=certificate_id)
    if certificate.revoked_at:
        return certificate
    certificate.revoked_at, certificate.revocation_reason = clock.now(), reason
    certificate.save(update_fields=["revoked_at", "revocation_reason"])
    status_lists.mark(certificate.credential, holds=False)
    metadata = {"reason": reason, "learnerId": str(certificate.learner_id), "trackId": str(certificate.track_id)}
    event = Event(EventType.CERTIFICATE_REVOKED, certificate.organization_id, "certificate", certificate.id, metadata)
    record(event, actor=actor)
    return certificate
