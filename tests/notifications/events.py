"""Things that happen, as managers are told of them."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cerply import clock
from cerply.accounts.models import User
from notifications.milestones import Milestone, announce
from notifications.models import (
    Delivery,
    Frequency,
    MailSubscription,
    ManagerNotification,
    NotificationPreference,
    NotificationType,
)

CONTENTS: dict[str, dict[str, Any]] = {
    "level_up": {
        "trackTitle": "Fire Safety",
        "trackId": str(uuid4()),
        "previousLevel": "novice",
        "newLevel": "learner",
        "correctAttempts": 21,
    },
    "badge": {"badge": "first-steps", "badgeName": "First Steps", "icon": "🌱"},
    "certificate": {"certificateId": str(uuid4()), "trackId": str(uuid4()), "trackTitle": "First Aid"},
    "at_risk": {"trackId": str(uuid4()), "trackTitle": "Ladders", "reason": "silence"},
    "expiring": {
        "certificateId": str(uuid4()),
        "trackId": str(uuid4()),
        "trackTitle": "First Aid",
        "expiresAt": "2026-12-24T12:00:00.000000Z",
        "daysLeft": 30,
    },
}


def happen(learner: User, type_: str, at: datetime, **content: Any) -> ManagerNotification:
    """Returns what one of her managers was told."""
    cause = uuid4()
    with clock.moved_to(at):
        announce([Milestone(NotificationType(type_), learner, cause, CONTENTS[type_] | content)])
    return ManagerNotification.objects.filter(cause_id=cause)[0]


def prefer(manager: User, frequency: str, **fields: Any) -> NotificationPreference:
    fields = {"timezone": manager.timezone, "changed_at": datetime(2026, 1, 1, tzinfo=UTC)} | fields
    return NotificationPreference.objects.update_or_create(
        user=manager, defaults={"frequency": Frequency(frequency), **fields}
    )[0]


def outcome(row: ManagerNotification) -> tuple[str, str]:
    """State and reason of its delivery."""
    delivery = Delivery.objects.get(notification=row)
    return delivery.state, delivery.reason


def subscription_of(manager: User) -> MailSubscription:
    return MailSubscription.objects.select_related("user__organization").get_or_create(user=manager)[0]
