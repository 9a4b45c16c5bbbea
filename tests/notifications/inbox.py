"""Inboxes to test with."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from cerply import clock
from cerply.accounts.models import User
from notifications.models import ManagerNotification, NotificationType


def tell(manager: User, learner: User, number: int = 1, **fields: Any) -> list[ManagerNotification]:
    """So many notifications, unread and sent now unless the fields say otherwise."""
    rows = [
        ManagerNotification(
            **{
                "organization_id": manager.organization_id,
                "manager": manager,
                "learner": learner,
                "type": NotificationType.BADGE,
                "cause_id": uuid4(),
                "content": {"badge": "first-steps", "badgeName": "First Steps"},
                "sent_at": clock.now(),
                **fields,
            }
        )
        for _ in range(number)
    ]
    return ManagerNotification.objects.bulk_create(rows)


def left() -> set[datetime]:
    """When those that are still there were sent."""
    return set(ManagerNotification.objects.values_list("sent_at", flat=True))
