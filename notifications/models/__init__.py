"""The managers' inbox, and what goes out of it."""

from notifications.models.inbox import ManagerNotification, NotificationType
from notifications.models.mail import (
    Delivery,
    DeliveryState,
    MailKind,
    OutgoingMail,
    SuppressedAddress,
    Withheld,
)
from notifications.models.preferences import (
    DIGEST_HOUR,
    Frequency,
    MailSubscription,
    NotificationPolicy,
    NotificationPreference,
    SetBy,
    Weekday,
    Wish,
    every_type,
)

__all__ = [
    "DIGEST_HOUR",
    "Delivery",
    "DeliveryState",
    "Frequency",
    "MailKind",
    "MailSubscription",
    "ManagerNotification",
    "NotificationPolicy",
    "NotificationPreference",
    "NotificationType",
    "OutgoingMail",
    "SetBy",
    "SuppressedAddress",
    "Weekday",
    "Wish",
    "Withheld",
    "every_type",
]
