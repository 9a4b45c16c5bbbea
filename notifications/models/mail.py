"""What becomes of each notification by e-mail: the books, the outbox, and addresses that take nothing."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Self
from uuid import UUID

from django.db import connection, models
from django.db.models import F, Q
from django.db.models.functions import Lower

from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.identifiers import uuid7
from notifications.models.inbox import ManagerNotification, NotificationType
from ops.outbox import Owed, OwedQuerySet, state_is_known
from ops.owed_mail import PAUSES


class MailKind(models.TextChoices):
    IMMEDIATE = "immediate", "Immediate"
    DAILY = "daily", "Daily digest"
    WEEKLY = "weekly", "Weekly digest"


# Also those whose notifications went out in another one.
DELETE_EMPTIED = """
    DELETE FROM outgoing_mails WHERE id IN
        (SELECT id FROM outgoing_mails AS mail
          WHERE finished_at < %s AND NOT EXISTS (SELECT FROM notification_deliveries WHERE mail_id = mail.id)
          LIMIT %s FOR UPDATE SKIP LOCKED)
"""


class OutgoingMailQuerySet(OwedQuerySet["OutgoingMail"]):
    def delete_emptied(self, moment: datetime, most: int) -> int:
        """Those that were done with before then, and whose notifications are gone. Returns how many."""
        with connection.cursor() as cursor:
            cursor.execute(DELETE_EMPTIED, [moment, most])
            deleted: int = cursor.rowcount
        return deleted


class OutgoingMail(Owed):
    """One e-mail to one manager, about one notification or several. Its words are made when it is sent."""

    PAUSES = PAUSES

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    recipient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=16, choices=MailKind)
    # Of a digest: what happened before it, and in no digest before.
    window_end = models.DateTimeField(null=True, blank=True)
    # The same for each try, so that a mailbox tells a repetition from another mail.
    message_id = models.CharField("Message-ID", max_length=255)
    # What a provider calls it in its events.
    provider_id = models.CharField(max_length=255, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)

    objects = OutgoingMailQuerySet.as_manager()

    class Meta:
        db_table = "outgoing_mails"
        ordering = ["-id"]
        verbose_name = "e-mail"
        constraints = [
            models.UniqueConstraint(
                fields=["recipient", "window_end"],
                condition=Q(window_end__isnull=False),
                name="outgoing_mails_once_per_window",
            ),
            models.CheckConstraint(condition=Q(kind__in=MailKind.values), name="outgoing_mails_kind_is_known"),
            state_is_known("outgoing_mails"),
        ]
        indexes = [
            # The job: what is due?
            models.Index(fields=["due_at", "id"], condition=Q(state="due"), name="outgoing_mails_due"),
            # The admin's list of those in one state, newest first; most are sent, and are found at once without it.
            models.Index(fields=["state", "-id"], condition=~Q(state="sent"), name="outgoing_mails_by_state"),
            # The admin's list of one manager's.
            models.Index(fields=["recipient", "-id"], name="outgoing_mails_by_recipient"),
            # Cleaning up: which were done with long ago?
            models.Index(fields=["finished_at"], condition=Q(finished_at__isnull=False), name="outgoing_mails_by_end"),
            # A provider's event: which mail does it speak of?
            models.Index(fields=["provider_id"], condition=~Q(provider_id=""), name="outgoing_mails_by_provider_id"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} e-mail to {self.recipient_id}"


class DeliveryState(models.TextChoices):
    WAITING = "waiting", "Waiting for an e-mail to go out in"
    MAILING = "mailing", "In an e-mail that is going out"
    SENT = "sent", "Sent"
    WITHHELD = "withheld", "Not sent"


class Withheld(models.TextChoices):
    """Why a notification is in no e-mail."""

    PREFERENCE = "preference", "The manager, or her organization, wants no e-mail of this type, or none at all."
    UNSUBSCRIBED = "unsubscribed", "The manager has unsubscribed from all e-mail."
    BOUNCE = "bounce", "The manager's address takes no mail."
    COMPLAINT = "complaint", "The manager's provider reported our mail as unwanted."
    FEATURE_OFF = "feature_off", "Manager notifications were switched off for the organization."
    RECIPIENT_GONE = "recipient_gone", "The recipient was no longer active, or no longer a manager."
    DUPLICATE = "duplicate", "A later notification in the same e-mail says the same of the same learner."
    GAVE_UP = "gave_up", "The mail server did not take it, however often it was tried."


# Only of those that are there: who was told of the cause before is not told again.
OPEN = """
    INSERT INTO notification_deliveries (notification_id, manager_id, type, happened_at, state, reason, due_at)
    SELECT id, manager_id, type, sent_at, 'waiting', '', sent_at + make_interval(secs => %(bundling)s)
      FROM manager_notifications WHERE id = ANY(%(ids)s)
"""

HOLD = """
    SELECT count(*) FROM
        (SELECT FROM notification_deliveries WHERE state = 'waiting' AND manager_id = ANY(%s)
          ORDER BY notification_id FOR UPDATE) AS held
"""


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def open_for(self, notification_ids: Sequence[UUID]) -> None:
        """Where there are such notifications. Nobody's wishes are read: that is left to the job."""
        with connection.cursor() as cursor:
            cursor.execute(OPEN, {"bundling": Delivery.BUNDLING.total_seconds(), "ids": list(notification_ids)})

    def hold(self, manager_ids: Collection[UUID]) -> None:
        """Locks what waits for them, in one order for everybody, so that two who change it do not deadlock."""
        with connection.cursor() as cursor:
            cursor.execute(HOLD, [list(manager_ids)])

    def lock(self) -> None:
        """Locks these, in the same order: who holds what waits may have got hold of what is in a mail meanwhile."""
        list(self.order_by("notification_id").select_for_update().values_list("notification_id"))

    def waiting(self) -> Self:
        return self.filter(state=DeliveryState.WAITING)

    def to_look_at(self, moment: datetime) -> Self:
        """The longest due first."""
        return self.waiting().filter(due_at__lte=moment).order_by("due_at")


class Delivery(models.Model):
    """What has become of a notification by e-mail: it waits, is in a mail, or is in none for a reason."""

    # Immediate e-mail waits so long for more to go out with it.
    BUNDLING: ClassVar = timedelta(minutes=2)

    notification = models.OneToOneField(
        ManagerNotification, primary_key=True, on_delete=models.CASCADE, related_name="delivery"
    )
    # Of the notification, for the job to find its rows by.
    manager_id = models.UUIDField()
    type = models.CharField(max_length=16, choices=NotificationType)
    happened_at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=DeliveryState, default=DeliveryState.WAITING)
    # While it waits: when the job looks at it, which for a digest is the end of the window.
    due_at = models.DateTimeField()
    mail = models.ForeignKey(OutgoingMail, null=True, blank=True, on_delete=models.PROTECT, related_name="deliveries")
    reason = models.CharField(max_length=16, choices=Withheld, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        db_table = "notification_deliveries"
        constraints = [
            models.CheckConstraint(
                condition=Q(state=DeliveryState.WAITING, mail=None, settled_at=None, reason="")
                | Q(state=DeliveryState.MAILING, mail__isnull=False, settled_at=None, reason="")
                | Q(state=DeliveryState.SENT, mail__isnull=False, settled_at__isnull=False, reason="")
                | Q(state=DeliveryState.WITHHELD, settled_at__isnull=False, reason__in=Withheld.values),
                name="notification_deliveries_say_why",
            ),
        ]
        indexes = [
            # The job: what is to be looked at?
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="deliveries_due"),
            # The job: what else waits for this manager?
            models.Index(fields=["manager_id", "happened_at"], condition=Q(state="waiting"), name="deliveries_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.notification_id}: {self.state}"


class SuppressionQuerySet(models.QuerySet["SuppressedAddress"]):
    def holding(self) -> Self:
        return self.filter(released_at=None)

    def of(self, address: str) -> Self:
        return self.filter(address=address.lower())


class SuppressedAddress(models.Model):
    """An address that bounced, or whose owner complained: nothing more is sent to it until staff releases it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    address = models.CharField(max_length=254, help_text="In lower case.")
    reason = models.CharField(
        max_length=16, choices=[(reason.value, reason.label) for reason in (Withheld.BOUNCE, Withheld.COMPLAINT)]
    )
    suppressed_at = models.DateTimeField(default=clock.now)
    released_at = models.DateTimeField(null=True, blank=True)

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        db_table = "suppressed_addresses"
        ordering = ["-id"]
        verbose_name_plural = "suppressed addresses"
        constraints = [
            # Also the index of every sending: is this address among them?
            models.UniqueConstraint(
                fields=["address"], condition=Q(released_at=None), name="suppressed_addresses_once_while_it_holds"
            ),
            models.CheckConstraint(condition=Q(address=Lower(F("address"))), name="suppressed_addresses_are_lower"),
            models.CheckConstraint(
                condition=Q(reason__in=[Withheld.BOUNCE.value, Withheld.COMPLAINT.value]),
                name="suppressed_addresses_reason_is_known",
            ),
        ]

    def __str__(self) -> str:
        return self.address
