"""Whether we know that an issuer is who it says: checked by staff, and told to whoever looks at a certificate."""

from uuid import UUID

from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.permissions import Actor
from certificates.models import Issuer

FIELDS = ["identity_checked_at", "identity_checked_by", "identity_check", "identity_name"]


@transaction.atomic
def check_identity(issuer_id: UUID, how: str, *, actor: Actor) -> Issuer:
    """Marks it as checked, now and by the actor, who is staff; a later check takes the place of an earlier one."""
    issuers = Issuer.objects.select_related("organization").select_for_update(of=("self",))
    issuer = issuers.get(id=issuer_id)
    issuer.identity_checked_at, issuer.identity_check = clock.now(), how
    issuer.identity_checked_by_id, issuer.identity_name = actor.id, issuer.organization.name
    issuer.save(update_fields=FIELDS)
    metadata = {"how": how, "name": issuer.identity_name}
    event = Event(EventType.IDENTITY_CHECKED, issuer.organization_id, "issuer", issuer.id, metadata)
    record(event, actor=actor)
    return issuer


@transaction.atomic
def withdraw_check(issuer_id: UUID, reason: str, *, actor: Actor) -> Issuer:
    """From now on it counts as not checked. Doing it twice changes nothing."""
    issuer = Issuer.objects.select_for_update(of=("self",)).get(id=issuer_id)
    if issuer.identity_checked_at:
        before = {"checkedAt": clock.rfc3339(issuer.identity_checked_at), "how": issuer.identity_check}
        issuer.identity_checked_at, issuer.identity_checked_by = None, None
        issuer.identity_check = issuer.identity_name = ""
        issuer.save(update_fields=FIELDS)
        metadata = {"reason": reason, "before": before}
        event = Event(EventType.IDENTITY_CHECK_WITHDRAWN, issuer.organization_id, "issuer", issuer.id, metadata)
        record(event, actor=actor)
    return issuer
