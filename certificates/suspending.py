"""Suspending certificates for the time being, and reinstating them."""

from collections.abc import Iterable, Sequence
from functools import partial
from uuid import UUID

from django.db import transaction

from audit.models import EventType
from audit.recording import record_many
from cerply import clock
from cerply.errors import Conflict
from cerply.permissions import Actor
from certificates import status_lists
from certificates.models import Certificate, Suspension
from certificates.standing import change_many, event_of


@transaction.atomic
def suspend(certificate_id: UUID, reason: str, *, actor: Actor) -> Suspension:
    """It does not hold until it is reinstated. Suspended already: the suspension that lasts.

    Raises `Conflict` for what is revoked or replaced, and does not hold anyway.
    """
    [certificate] = Certificate.objects.locked([certificate_id])
    if certificate.revoked_at:
        raise Conflict("The certificate is revoked, which is for good: it cannot be suspended.")
    if certificate.replaced_at:
        raise Conflict("The certificate is replaced and no longer holds. Suspend the one that took its place.")
    if not certificate.suspended_at:
        _suspend([certificate], reason=reason, actor=actor)
    return certificate.suspensions.get(reinstated_at=None)


@transaction.atomic
def reinstate(certificate_id: UUID, reason: str, *, actor: Actor) -> Suspension:
    """Ends the suspension. Reinstated already: the suspension that ended last.

    Raises `Conflict` for what is revoked, or never was suspended.
    """
    [certificate] = Certificate.objects.locked([certificate_id])
    if certificate.revoked_at:
        raise Conflict("The certificate is revoked, which is for good: it cannot be reinstated.")
    latest = certificate.suspensions.order_by("suspended_at", "id").last()
    if latest is None:
        raise Conflict("The certificate is not suspended.")
    if certificate.suspended_at:
        _reinstate([certificate], reason=reason, actor=actor)
        latest.refresh_from_db()
    return latest


def suspend_many(ids: Iterable[UUID], reason: str, *, actor: Actor) -> int:
    """Those that can be suspended, batch by batch. Returns how many there were."""
    return change_many(ids, can_be_suspended, partial(_suspend, reason=reason, actor=actor))


def reinstate_many(ids: Iterable[UUID], reason: str, *, actor: Actor) -> int:
    """Those that can be reinstated, batch by batch. Returns how many there were."""
    return change_many(ids, can_be_reinstated, partial(_reinstate, reason=reason, actor=actor))


def can_be_suspended(certificate: Certificate) -> bool:
    return not (certificate.revoked_at or certificate.replaced_at or certificate.suspended_at)


def can_be_reinstated(certificate: Certificate) -> bool:
    return bool(certificate.suspended_at) and not certificate.revoked_at


def _suspend(certificates: Sequence[Certificate], *, reason: str, actor: Actor) -> None:
    now = clock.now()
    Suspension.objects.bulk_create(
        Suspension(
            organization_id=certificate.organization_id, certificate=certificate, suspended_at=now, reason=reason
        )
        for certificate in certificates
    )
    for certificate in certificates:
        certificate.suspended_at = now
    Certificate.objects.bulk_update(certificates, ["suspended_at"])
    status_lists.mark_all([certificate.credential for certificate in certificates], holds=False)
    events = [event_of(EventType.CERTIFICATE_SUSPENDED, each, {"reason": reason}) for each in certificates]
    record_many(events, actor=actor)


def _reinstate(certificates: Sequence[Certificate], *, reason: str, actor: Actor) -> None:
    now = clock.now()
    open_ones = Suspension.objects.filter(certificate__in=certificates, reinstated_at=None)
    open_ones.update(reinstated_at=now, reinstatement_reason=reason)
    for certificate in certificates:
        certificate.suspended_at, certificate.reinstated_at = None, now
    Certificate.objects.bulk_update(certificates, ["suspended_at", "reinstated_at"])
    status_lists.mark_all([certificate.credential for certificate in certificates], holds=True)
    events = [event_of(EventType.CERTIFICATE_REINSTATED, each, {"reason": reason}) for each in certificates]
    record_many(events, actor=actor)
