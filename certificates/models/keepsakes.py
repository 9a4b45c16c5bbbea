"""What somebody who has left keeps: a link to her certificates."""

from datetime import datetime
from typing import Self
from uuid import uuid4

from django.db import models

from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.tenancy import TenantQuerySet


class KeepsakeQuerySet(TenantQuerySet["Keepsake"]):
    def live(self) -> Self:
        return self.filter(withdrawn_at=None)

    def waiting(self) -> Self:
        """Those whose mail is owed, also where it is not to be tried yet."""
        return self.filter(due_at__isnull=False)

    def due(self, moment: datetime) -> Self:
        return self.filter(due_at__lte=moment).order_by("due_at", "id")


class Keepsake(models.Model):
    """The link that somebody is mailed when she leaves, once each time. Who has its secret sees her certificates.

    The mail is owed as long as there is a `due_at`; the secret is made for the mail, and its SHA-256 stays.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    left_at = models.DateTimeField(help_text="When her account was closed.")
    digest = models.BinaryField(max_length=32, null=True, unique=True)
    # When it was asked for, which is later where it is sent again.
    requested_at = models.DateTimeField(default=clock.now)
    due_at = models.DateTimeField(null=True, default=clock.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    mailed_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    objects = KeepsakeQuerySet.as_manager()

    class Meta:
        db_table = "keepsakes"
        ordering = ["-left_at", "id"]
        constraints = [
            # Also what tells who has been seen to.
            models.UniqueConstraint(fields=["learner", "left_at"], name="keepsakes_once_per_leaving"),
        ]
        indexes = [
            # The job: which mails are due?
            models.Index(
                fields=["due_at", "id"], condition=models.Q(due_at__isnull=False), name="keepsakes_owed_a_mail"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.learner_id}, {self.left_at:%Y-%m-%d}"
