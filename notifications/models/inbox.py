"""The managers' inbox."""

from datetime import datetime
from typing import Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.identifiers import uuid7
from cerply.permissions import Caller
from cerply.tenancy import TenantQuerySet


class NotificationType(models.TextChoices):
    LEVEL_UP = "level_up", "Level up"
    BADGE = "badge", "Badge"
    CERTIFICATE = "certificate", "Certificate"
    AT_RISK = "at_risk", "At risk"
    EXPIRING = "expiring", "Certificate expiring"


class NotificationQuerySet(TenantQuerySet["ManagerNotification"]):
    def inbox_of(self, caller: Caller) -> Self:
        """Her own alone, whatever she may see of others; the admin token and staff have none."""
        if not caller.is_member or caller.user_id is None:
            return self.none()
        return self.in_reach_of(caller).filter(manager_id=caller.user_id)

    def unread(self) -> Self:
        return self.filter(read_at=None)

    def read_before(self, moment: datetime) -> Self:
        return self.filter(read_at__lt=moment)

    def unread_since_before(self, moment: datetime) -> Self:
        return self.unread().filter(sent_at__lt=moment)


class ManagerNotification(models.Model):
    """A manager is told that a member of her teams has come further, or is at risk of not doing so."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    manager = models.ForeignKey(User, on_delete=models.PROTECT, related_name="notifications", db_index=False)
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    type = models.CharField(max_length=16, choices=NotificationType)
    # What happened: the attempt, the badge that was earned, the certificate.
    cause_id = models.UUIDField()
    content = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    sent_at = models.DateTimeField(default=clock.now)
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        db_table = "manager_notifications"
        ordering = ["-sent_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["manager", "cause_id"], name="manager_notifications_once_per_cause"),
            models.CheckConstraint(
                condition=Q(type__in=NotificationType.values), name="manager_notifications_type_is_known"
            ),
        ]
        indexes = [
            # The inbox, newest first, and how many there are; the organization, so that nothing else is looked at.
            models.Index(fields=["manager", "-sent_at", "-id"], include=["organization"], name="notifications_inbox"),
            # The inbox of one type, newest first.
            models.Index(fields=["manager", "type", "-sent_at", "-id"], name="manager_notifications_by_type"),
            # The unread ones, newest first, and how many there are.
            models.Index(
                fields=["manager", "-sent_at", "-id"],
                include=["organization"],
                condition=Q(read_at=None),
                name="notifications_unread",
            ),
            # Cleaning up: which were read long ago?
            models.Index(fields=["read_at"], condition=Q(read_at__isnull=False), name="notifications_read_by_age"),
            # Cleaning up: which were sent long ago, and never read?
            models.Index(fields=["sent_at"], condition=Q(read_at=None), name="notifications_unread_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.type} to {self.manager_id}"

    @property
    def is_read(self) -> bool:
        return self.read_at is not None
