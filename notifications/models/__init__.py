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
from notifications.models.webhooks import (
    EVENT_OF_TYPE,
    DisabledReason,
    EndpointState,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    WebhookNotice,
)

__all__ = [
    "EVENT_OF_TYPE",
    "DIGEST_HOUR",
    "Delivery",
    "DeliveryState",
    "DisabledReason",
    "EndpointState",
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
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
    "WebhookNotice",
    "every_type",
]
