"""What proves that the events are what they were: segments of sealed events, a chain of them for each organization."""

from collections.abc import Iterable
from itertools import batched
from typing import Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models import Q

from audit.models.events import NO_ORGANIZATION
from cerply import clock
from cerply.identifiers import uuid7

ID_LENGTH = 16
HASH_LENGTH = 32


class AuditKeyQuerySet(models.QuerySet["AuditKey"]):
    def active(self) -> Self:
        return self.filter(retired_at=None)


class AuditKey(models.Model):
    """A key of the installation that signs heads. Who holds the lock of the active one's row seals, and nobody else."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    public_key = models.BinaryField(max_length=32, editable=False)
    # As `cerply.encryption` seals it.
    sealed_private_key = models.BinaryField(editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = AuditKeyQuerySet.as_manager()

    class Meta:
        db_table = "audit_keys"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["retired_at"], condition=Q(retired_at=None), nulls_distinct=False, name="audit_keys_one_active"
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class UnsealedEvent(models.Model):
    """An event that waits to be sealed. A trigger writes the row with the event, and sealing deletes it."""

    event_id = models.UUIDField(primary_key=True, editable=False)

    class Meta:
        db_table = "audit_unsealed"

    def __str__(self) -> str:
        return str(self.event_id)


class SegmentQuerySet(models.QuerySet["Segment"]):
    def for_organization(self, organization_id: UUID) -> Self:
        """The chain of an organization; `NO_ORGANIZATION` is the platform's."""
        return self.filter(organization_id=organization_id)

    def newest_of(self, organizations: Iterable[UUID]) -> dict[UUID, "Segment"]:
        """The head of each chain that has one."""
        found = self.raw(
            "SELECT newest.* FROM unnest(%s::uuid[]) AS organization (id) CROSS JOIN LATERAL"
            " (SELECT * FROM audit_segments WHERE organization_id = organization.id"
            "   ORDER BY number DESC LIMIT 1) AS newest",
            [list(organizations)],
        )
        return {segment.organization_id: segment for segment in found}


class Segment(models.Model):
    """Some events of one organization and week, sealed together. What `audit.heads` says of it is its head.

    Kept for good: it shows that the chain is whole where events have expired. Its id is that of its first event.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    organization_id = models.UUIDField(default=NO_ORGANIZATION)
    number = models.PositiveBigIntegerField(help_text="In the organization's chain, from 1.")
    week = models.DateField(help_text="The Monday of the week of its events.")
    size = models.PositiveIntegerField(help_text="How many events it has.")
    total = models.PositiveBigIntegerField(help_text="How many events the chain has up to here.")
    latest_at = models.DateTimeField(help_text="When the latest event of the chain up to here happened.")
    root = models.BinaryField(max_length=HASH_LENGTH)
    previous = models.BinaryField(max_length=HASH_LENGTH)
    sealed_at = models.DateTimeField()
    key = models.ForeignKey(AuditKey, on_delete=models.PROTECT, related_name="+")
    hash = models.BinaryField(max_length=HASH_LENGTH)
    signature = models.BinaryField(max_length=64)

    objects = SegmentQuerySet.as_manager()

    class Meta:
        db_table = "audit_segments"
        ordering = ["organization_id", "-number"]
        constraints = [
            # Also the index of every look at a chain.
            models.UniqueConstraint(fields=["organization_id", "number"], name="audit_segments_number_in_chain"),
            models.CheckConstraint(condition=Q(number__gte=1, size__gte=1), name="audit_segments_are_not_empty"),
        ]
        indexes = [
            # Verification and retention: how many events of this week are sealed?
            models.Index(fields=["week", "organization_id"], name="audit_segments_by_week"),
            # The admin's list, newest first.
            models.Index(fields=["-sealed_at", "-id"], name="audit_segments_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id}/{self.number}"


class SegmentLeaves(models.Model):
    """Which events a segment has, in their order, each with the hash of its leaf. Goes with the week's events."""

    segment_id = models.UUIDField(primary_key=True, editable=False)
    # An id (16 bytes) and a hash (32 bytes) for each.
    content = models.BinaryField()

    class Meta:
        db_table = "audit_leaves"

    def __str__(self) -> str:
        return str(self.segment_id)

    @staticmethod
    def packed(leaves: Iterable[tuple[UUID, bytes]]) -> bytes:
        return b"".join(key.bytes + digest for key, digest in leaves)

    @staticmethod
    def unpacked(content: bytes) -> list[tuple[UUID, bytes]]:
        """What is cut off at the end, or goes on beyond it, is a leaf that has not its length."""
        rows = map(bytes, batched(bytes(content), ID_LENGTH + HASH_LENGTH))
        return [(UUID(bytes=row[:ID_LENGTH].ljust(ID_LENGTH, b"\0")), row[ID_LENGTH:]) for row in rows]


class Commitment(models.Model):
    """What stands in a leaf for a personal field: HMAC-SHA-256 of its value under a salt of its own.

    Without the salt nobody can tell or guess the value, and the leaf's hash stays as it is: erasing a person takes the
    salt away. Goes with the week's events.
    """

    pk = models.CompositePrimaryKey("event_id", "field")
    event_id = models.UUIDField(editable=False)
    field = models.CharField(max_length=255, help_text="Of the event's metadata.")
    salt = models.BinaryField(max_length=32, null=True)
    digest = models.BinaryField(max_length=HASH_LENGTH)

    class Meta:
        db_table = "audit_commitments"

    def __str__(self) -> str:
        return f"{self.field} of {self.event_id}"


class Verification(models.Model):
    """A daily round of verification (`audit.rounds`): how far it is, and what it found."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    started_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    # The last segment that is looked through.
    organization_id = models.UUIDField(null=True, blank=True)
    number = models.PositiveBigIntegerField(default=0)
    segments = models.PositiveBigIntegerField(default=0)
    events = models.PositiveBigIntegerField(default=0)
    problems = models.PositiveIntegerField(default=0)
    remarks = models.PositiveIntegerField(default=0)
    # The first of both, in words.
    findings = models.JSONField(default=list, blank=True)

    class Meta:
        db_table = "audit_verifications"
        ordering = ["-started_at", "-id"]
        indexes = [
            # The job and the admin: the latest.
            models.Index(fields=["-started_at", "-id"], name="audit_verifications_by_age")
        ]

    def __str__(self) -> str:
        return f"Verification of {self.started_at:%Y-%m-%d %H:%M}"
