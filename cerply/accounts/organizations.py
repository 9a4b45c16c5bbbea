"""Organizations: opened, changed, closed; deleted only while there is nothing to keep."""

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import CASCADE

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.accounts.models import Organization
from cerply.errors import Conflict
from cerply.permissions import Actor
from ops import features
from ops.wake import enqueue


@transaction.atomic
def create_organization(organization: Organization, *, actor: Actor) -> None:
    organization.save(force_insert=True)
    features.enrol(organization.id)
    _record(EventType.ORGANIZATION_CREATED, organization, actor, name=organization.name)


@transaction.atomic
def change_organization(organization: Organization, fields: Sequence[str], *, actor: Actor) -> None:
    """Saves the fields. Certificates that are issued already keep what they say."""
    before = Organization.objects.locked().get(id=organization.id)
    organization.save(update_fields=list(fields))
    changes = {
        name: {"before": str(getattr(before, name)), "after": str(getattr(organization, name))}
        for name in fields
        if getattr(before, name) != getattr(organization, name)
    }
    if changes:
        _record(EventType.ORGANIZATION_CHANGED, organization, actor, changes=changes)


@transaction.atomic
def close_organization(organization: Organization, *, actor: Actor, reason: str) -> None:
    """Nobody of it comes in any more; every record stays, and what strangers may verify they still can."""
    locked = Organization.objects.locked().get(id=organization.id)
    if locked.closed_at:
        raise Conflict("The organization is closed already.")
    locked.closed_at = organization.closed_at = clock.now()
    locked.save(update_fields=["closed_at"])
    features.withdraw(organization.id)
    # Its people have certificates to keep.
    enqueue(settings.JOBS["mail_keepsakes"]["run"])
    _record(EventType.ORGANIZATION_CLOSED, organization, actor, reason=reason)


@transaction.atomic
def reopen_organization(organization: Organization, *, actor: Actor, reason: str) -> None:
    locked = Organization.objects.locked().get(id=organization.id)
    if locked.closed_at is None:
        raise Conflict("The organization is open.")
    locked.closed_at = organization.closed_at = None
    locked.save(update_fields=["closed_at"])
    features.enrol(organization.id)
    _record(EventType.ORGANIZATION_REOPENED, organization, actor, reason=reason)


def what_keeps(organization: Organization) -> list[str]:
    """What would be lost with it, by its name: as long as there is any, it is closed and not deleted."""
    return sorted(
        str(relation.related_model._meta.verbose_name_plural)
        for relation in organization._meta.related_objects
        # What goes with it is no reason to stay.
        if relation.on_delete is not CASCADE
        and relation.related_model._base_manager.filter(**{relation.field.name: organization}).exists()
    )


@transaction.atomic
def delete_organization(organization: Organization, *, actor: Actor) -> None:
    """Raises `Conflict` where anything must be kept."""
    locked = Organization.objects.select_for_update().get(id=organization.id)
    if kept := what_keeps(locked):
        raise Conflict(f"It has {', '.join(kept)}, which must be kept. Close it instead.")
    features.withdraw(locked.id)
    _record(EventType.ORGANIZATION_DELETED, locked, actor, name=locked.name)
    locked.delete()


def _record(type_: EventType, organization: Organization, actor: Actor, **metadata: object) -> None:
    record(Event(type_, organization.id, "organization", organization.id, metadata), actor=actor)
