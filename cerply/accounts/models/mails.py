"""Mails that are owed: links to set a password, and heads of the audit."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q

from cerply import clock
from cerply.accounts.models.people import User
from cerply.identifiers import uuid7
from ops.outbox import OutboxState, Owed, OwedQuerySet, state_is_known


class OwedLinkQuerySet(models.QuerySet["OwedLink"]):
    def due(self, moment: datetime) -> Self:
        return self.filter(due_at__lte=moment).order_by("due_at", "id")


class OwedLink(models.Model):
    """A link to set a password that is still to be mailed: to the address, until it is known who bears it; then to her.

    The row is there until the mail server has taken the mail, or all tries have failed.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.CharField(max_length=254)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    requested_at = models.DateTimeField(default=clock.now)
    due_at = models.DateTimeField(default=clock.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    request_id = models.CharField(max_length=128, blank=True, default="", db_default="")

    objects = OwedLinkQuerySet.as_manager()

    class Meta:
        db_table = "owed_password_links"
        ordering = ["due_at", "id"]
        indexes = [
            # The job: which are due?
            models.Index(fields=["due_at", "id"], name="owed_password_links_due")
        ]

    def __str__(self) -> str:
        return f"A link for {self.user_id or self.email}"


class HeadMailQuerySet(OwedQuerySet["HeadMail"]):
    def newest(self) -> Self:
        """The last to each address, of each chain."""
        return self.order_by("organization_id", "address", "-day").distinct("organization_id", "address")


class HeadMail(Owed):
    """The head of an audit chain that is mailed to an address on a day, so that nobody rewrites the chain unseen.

    The organization is the chain's, which outlives it; the nil UUID is the platform's.
    """

    PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360)]

    organization_id = models.UUIDField()
    address = models.EmailField(max_length=254)
    day = models.DateField()
    number = models.PositiveBigIntegerField()
    # As `audit.heads.Head` writes it.
    head = models.CharField(max_length=160)

    objects = HeadMailQuerySet.as_manager()

    class Meta:
        db_table = "head_mails"
        ordering = ["-id"]
        verbose_name = "mail with a head of the audit"
        verbose_name_plural = "mails with heads of the audit"
        constraints = [
            # Also the index of the last to each address.
            models.UniqueConstraint(fields=["organization_id", "address", "day"], name="head_mails_once_a_day"),
            state_is_known("head_mails"),
        ]
        indexes = [
            # The job: which are due?
            models.Index(fields=["due_at", "id"], condition=Q(state=OutboxState.DUE), name="head_mails_due")
        ]

    def __str__(self) -> str:
        return f"{self.head} to {self.address}"
