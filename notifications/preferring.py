"""Managers' preferences."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.accounts.models import User
from cerply.permissions import Actor
from notifications.models import NotificationPreference


def preference_of(user: User) -> NotificationPreference:
    """Hers, or what holds while she has said nothing."""
    found = NotificationPreference.objects.filter(user=user).first()
    return found or NotificationPreference(user=user, timezone=user.timezone)


@transaction.atomic
def prefer(user: User, values: Mapping[str, Any], *, actor: Actor) -> NotificationPreference:
    """Values are as `PreferencesInput` gives them."""
    chosen = {"frequency": values["frequency"], "types": values["types"], "timezone": values["timezone"]}
    row, _ = NotificationPreference.objects.update_or_create(user=user, defaults={**chosen, "changed_at": clock.now()})
    record(Event(EventType.PREFERENCES_CHANGED, user.organization_id, "user", user.id, chosen), actor=actor)
    return row
