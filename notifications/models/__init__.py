"""The managers' inbox, and what goes out of it."""

from notifications.models.inbox import ManagerNotification, NotificationType
from notifications.models.preferences import Frequency, NotificationPreference, every_type

__all__ = [
    "Frequency",
    "ManagerNotification",
    "NotificationPreference",
    "NotificationType",
    "every_type",
]
