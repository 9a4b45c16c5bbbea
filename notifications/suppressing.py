"""Addresses to which nothing is sent any more: who put them there, and how staff takes them out again."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from anymail.signals import AnymailTrackingEvent, RejectReason
from anymail.signals import EventType as Told
from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record_many
from cerply import clock
from cerply.accounts.models import User
from cerply.errors import Conflict
from cerply.permissions import Actor
from notifications.models import MailSubscription, OutgoingMail, SuppressedAddress, Withheld
from notifications.preferring import unsubscribe

PROVIDER = Actor.system("mail provider")
FOR_GOOD = frozenset({RejectReason.BOUNCED, RejectReason.INVALID})


@transaction.atomic
def suppress(address: str, reason: Withheld, *, actor: Actor) -> bool:
    """False where it is suppressed already."""
    row = SuppressedAddress(address=address.lower(), reason=reason)
    added = SuppressedAddress.objects.bulk_create([row], ignore_conflicts=True)
    if not SuppressedAddress.objects.filter(id=added[0].id).exists():
        return False
    _record(EventType.ADDRESS_SUPPRESSED, row, actor)
    return True


@transaction.atomic
def release(suppression_id: UUID, *, actor: Actor, reason: str) -> None:
    """Mail goes there again. Raises `Conflict` where it does already."""
    row = SuppressedAddress.objects.select_for_update().get(id=suppression_id)
    if row.released_at:
        raise Conflict("The address has been released already.")
    row.released_at = clock.now()
    row.save(update_fields=["released_at"])
    _record(EventType.ADDRESS_RELEASED, row, actor, reason=reason)


def _record(type_: EventType, row: SuppressedAddress, actor: Actor, **more: str) -> None:
    """For each organization whose it is: whose address, not which."""
    people = User.objects.with_address(row.address).values_list("organization_id", "id")
    metadata = {"why": row.reason, **more}
    events = [Event(type_, organization_id, "user", user_id, metadata) for organization_id, user_id in people]
    record_many(events or [Event(type_, None, "suppressed_address", row.id, metadata)], actor=actor)


# -- what a provider tells --


@transaction.atomic
def hear(event: AnymailTrackingEvent) -> None:
    """Of a mail that bounced, or was not wanted; whatever else it tells is not our business.

    The same event may come twice, and events in any order.
    """
    reason = _reason(event)
    address = (event.recipient or "").lower()
    if event.event_type == Told.UNSUBSCRIBED:
        for subscription in MailSubscription.objects.filter(user__in=User.objects.with_address(address)):
            unsubscribe(subscription, actor=PROVIDER)
    if reason is None or not address:
        return
    if event.message_id and reason is Withheld.BOUNCE:
        OutgoingMail.objects.filter(provider_id=event.message_id, bounced_at=None).update(bounced_at=clock.now())
    suppress(address, reason, actor=PROVIDER)


def _reason(event: AnymailTrackingEvent) -> Withheld | None:
    if event.event_type == Told.COMPLAINED:
        return Withheld.COMPLAINT
    bounced = event.event_type in {Told.BOUNCED, Told.REJECTED} and event.reject_reason in FOR_GOOD
    return Withheld.BOUNCE if bounced and not _may_pass(event.esp_event or {}) else None


def _may_pass(told: Mapping[str, Any]) -> bool:
    """A mailbox that is full may take the next one. Each provider says so in its own words, and anymail in none."""
    words = (str(told.get(name, "")) for name in ("Type", "type", "event"))
    return (
        any("soft" in word.lower() for word in words)
        or told.get("hard_bounce") is False  # Mailjet
        or str(told.get("bounce_class")) == "20"  # SparkPost
    )
