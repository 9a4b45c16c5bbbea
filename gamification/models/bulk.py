"""Issuing to many, as staff asked for it."""

from typing import Self

from django.db import models

from cerply import clock
from cerply.accounts.models import Organization
from cerply.identifiers import uuid7
from cerply.tenancy import TenantQuerySet
from cerply.tracks.models import Track


class BulkIssueQuerySet(TenantQuerySet["BulkIssue"]):
    def unfinished(self) -> Self:
        return self.filter(finished_at=None).order_by("id")


class BulkIssue(models.Model):
    """Everyone in an organization or a team who completed a track gets her certificate; how far that has come."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    # No foreign key: a team may be deleted meanwhile, and then nobody is in it.
    team_id = models.UUIDField(null=True, help_text="Empty: everyone in the organization.")
    track = models.ForeignKey(Track, on_delete=models.PROTECT, related_name="+")
    also_revoked = models.BooleanField(default=False, help_text="Also to those whose certificate was revoked.")
    asked_by = models.UUIDField(help_text="The staff member.")
    asked_at = models.DateTimeField(default=clock.now)
    total = models.PositiveIntegerField(help_text="To how many it was to be issued when it was asked for.")
    issued = models.PositiveIntegerField(default=0)
    # The last learner who has been seen to.
    cursor = models.UUIDField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = BulkIssueQuerySet.as_manager()

    class Meta:
        db_table = "bulk_issues"
        ordering = ["-id"]
        verbose_name = "bulk issue"
        indexes = [
            # The job: what is unfinished?
            models.Index(fields=["id"], condition=models.Q(finished_at=None), name="bulk_issues_unfinished"),
        ]

    def __str__(self) -> str:
        return f"{self.track} at {self.organization}"
