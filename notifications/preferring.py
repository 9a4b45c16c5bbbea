"""What managers wish, and what their organization wishes for them; what waits is looked at anew after each change."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.db.models import QuerySet

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.errors import Forbidden
from cerply.identifiers import parse_uuid
from cerply.permissions import Actor
from notifications.models import (
    Delivery,
    Frequency,
    MailSubscription,
    NotificationPolicy,
    NotificationPreference,
    Wish,
)

LOCKED = (
    "Your organization has decided for all of its managers how often they are mailed, and about what. To get no e-mail "
    "at all, follow the link to unsubscribe in any of them."
)
# What the signature in a link is for, so that no other signature with the same key could stand in for it.
PURPOSE = "notifications.unsubscribe"


def people_with_wishes() -> QuerySet[User]:
    """With all that `Wish.of` needs, in one query."""
    return User.objects.select_related(
        "organization__notification_policy", "notification_preference", "mail_subscription"
    )


def wish_of(user: User) -> Wish:
    """Hers, or her organization's, or what holds while nobody has said anything; as it stands in the database."""
    return Wish.of(people_with_wishes().filter(id=user.id).first() or user)


@transaction.atomic
def prefer(user: User, values: Mapping[str, Any], *, actor: Actor) -> Wish:
    """Values are as `PreferencesInput` gives them. Raises `Forbidden` for what her organization has locked.

    Who had unsubscribed is mailed again, unless she says ``off``.
    """
    User.objects.select_for_update(no_key=True).get(id=user.id)
    wish = wish_of(user)
    said = {
        "frequency": values["frequency"],
        "types": values["types"],
        "digest_hour": values.get("digestHour", wish.digest_hour),
        "digest_weekday": values.get("digestWeekday", wish.digest_weekday),
    }
    if wish.unsubscribed_at and said["frequency"] == Frequency.OFF:
        said["frequency"] = wish.frequency_before
    elif wish.unsubscribed_at:
        MailSubscription.objects.filter(user=user).update(unsubscribed_at=None)
    if wish.is_locked and _differs(wish, said):
        raise Forbidden(LOCKED)
    if wish.is_locked and NotificationPreference.objects.filter(user=user).exists():
        # What she had said stays: it holds again when the lock is gone.
        said = {}
    said["timezone"] = values["timezone"]
    NotificationPreference.objects.update_or_create(user=user, defaults={**said, "changed_at": clock.now()})
    _look_again([user.id])
    names = ("frequency", "types", "timezone", "digestHour", "digestWeekday")
    metadata = {name: values[name] for name in names if name in values}
    record(Event(EventType.PREFERENCES_CHANGED, user.organization_id, "user", user.id, metadata), actor=actor)
    return wish_of(user)


def _differs(wish: Wish, said: Mapping[str, Any]) -> bool:
    holding = {
        "frequency": wish.frequency_before or wish.frequency,
        "types": sorted(wish.types),
        "digest_hour": wish.digest_hour,
        "digest_weekday": wish.digest_weekday,
    }
    return holding != {**said, "types": sorted(said["types"])}


def policy_of(organization_id: UUID) -> NotificationPolicy:
    """Hers, or what holds while she has said nothing."""
    found = NotificationPolicy.objects.filter(organization_id=organization_id).first()
    return found or NotificationPolicy(organization_id=organization_id)


@transaction.atomic
def decide_policy(organization_id: UUID, values: Mapping[str, Any], *, actor: Actor) -> NotificationPolicy:
    """For all managers of the organization: values are fields of `NotificationPolicy`."""
    Organization.objects.locked().get(id=organization_id)
    before = policy_of(organization_id)
    policy, _ = NotificationPolicy.objects.update_or_create(
        organization_id=organization_id, defaults={**values, "changed_at": clock.now()}
    )
    changes = {
        name: {"before": getattr(before, name), "after": value}
        for name, value in values.items()
        if getattr(before, name) != value
    }
    if before.locked and not policy.locked:
        # What they have said themselves holds from now on, and did not before.
        NotificationPreference.objects.filter(user__organization=organization_id).update(changed_at=clock.now())
    if changes:
        _look_again(list(User.objects.for_organization(organization_id).values_list("id", flat=True)))
        event = Event(
            EventType.NOTIFICATION_POLICY_CHANGED,
            organization_id,
            "organization",
            organization_id,
            {"changes": changes},
        )
        record(event, actor=actor)
    return policy


def _look_again(manager_ids: Collection[UUID]) -> None:
    """Has the job look at what waits for them: it may be due at another time now, or not at all."""
    Delivery.objects.hold(manager_ids)
    Delivery.objects.waiting().filter(manager_id__in=manager_ids).update(due_at=clock.now())


# -- unsubscribing --


def unsubscribe_token(user_id: UUID) -> str:
    """``{user id}.{signature}``, good until the user is gone, whatever secrets of the installation are changed."""
    subscription = MailSubscription.objects.get(user=user_id)
    return _signer(subscription).sign(str(user_id))


def subscriber(token: str) -> MailSubscription | None:
    """Whose link it is; None where the signature is not that of her key."""
    user_id = parse_uuid(token.partition(".")[0])
    found = MailSubscription.objects.select_related("user__organization").filter(user=user_id).first()
    if found is None:
        return None
    try:
        _signer(found).unsign(token)
    except BadSignature:
        return None
    return found


def _signer(subscription: MailSubscription) -> Signer:
    return Signer(key=bytes(subscription.link_key).hex(), sep=".", salt=PURPOSE, fallback_keys=[])


@transaction.atomic
def unsubscribe(subscription: MailSubscription, *, actor: Actor) -> bool:
    """No e-mail of any kind from now on, whatever anybody has set. What was set stays, for when she comes back."""
    return _set(subscription, EventType.UNSUBSCRIBED, actor)


@transaction.atomic
def resubscribe(subscription: MailSubscription, *, actor: Actor) -> bool:
    """What held before holds again."""
    return _set(subscription, EventType.RESUBSCRIBED, actor)


def _set(subscription: MailSubscription, type_: EventType, actor: Actor) -> bool:
    """False where it was so already."""
    stops = type_ is EventType.UNSUBSCRIBED
    rows = MailSubscription.objects.filter(user=subscription.user, unsubscribed_at__isnull=stops)
    if not rows.update(unsubscribed_at=clock.now() if stops else None):
        return False
    _look_again([subscription.user_id])
    user = subscription.user
    record(Event(type_, user.organization_id, "user", user.id), actor=actor)
    return True
