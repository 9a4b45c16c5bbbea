"""The material: tracks, and the items that learners answer."""

from collections.abc import Collection
from typing import Self
from uuid import UUID, uuid4

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import connections, models
from django.db.models import Q
from django.db.models.functions import Collate, Lower

from cerply import clock
from cerply.accounts.models import Organization
from cerply.identifiers import uuid7
from cerply.permissions import Caller
from cerply.tenancy import TenantQuerySet

# How long a certificate may last.
MOST_MONTHS = 600
# Credentials bear these texts, and a credential that is uploaded for verification may have 64 KiB.
LONGEST_TEXT = 2000
# As the JSON schema of Open Badges 3.0 has it for `inLanguage`.
LANGUAGE = r"^[a-z]{2,4}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$"


class CertifiesFrom(models.TextChoices):
    """Whose answers count for completing a track."""

    SYSTEM = "system", "Answers recorded by the organization's systems"
    ANY = "any", "Any answers, also those that the learner's own credential recorded"


class TrackQuerySet(TenantQuerySet["Track"]):
    def usable_by(self, caller: Caller) -> Self:
        """The organization's own and the shared ones; all of them for who reads everything."""
        if caller.reads_everything:
            return self.all()
        return self.filter(Q(organization_id=caller.organization_id) | Q(organization=None))

    def with_item_counts(self) -> Self:
        return self.annotate(item_count=models.Count("items", filter=Q(items__retired_at=None)))


class Track(models.Model):
    """A course of items. Without an organization it is shared with all of them."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, null=True, blank=True, on_delete=models.PROTECT, related_name="tracks"
    )
    external_id = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - unique where there is one
    title = models.CharField(max_length=255)
    description = models.TextField(
        blank=True, max_length=LONGEST_TEXT, help_text="What it is about; certificates bear it."
    )
    criteria = models.TextField(
        blank=True,
        max_length=LONGEST_TEXT,
        help_text="What one must do for the certificate; empty: answer each item correctly.",
    )
    language = models.CharField(
        max_length=16,
        default="en",
        validators=[RegexValidator(LANGUAGE, "Give a language as BCP 47 writes it: en, pt-BR, zh-Hans.")],
        help_text="In which it is written, as BCP 47: en, pt-BR.",
    )
    certifies_from = models.CharField(max_length=16, choices=CertifiesFrom, default=CertifiesFrom.SYSTEM)
    valid_months = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_MONTHS)],
        help_text="How long its certificates last; empty: they do not expire.",
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = TrackQuerySet.as_manager()

    class Meta:
        db_table = "tracks"
        ordering = ["title", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "external_id"],
                condition=Q(external_id__isnull=False),
                nulls_distinct=False,  # the shared ones are one realm too
                name="tracks_external_id_unique",
                violation_error_message="The organization has a track with this external id already.",
            ),
            models.CheckConstraint(
                condition=Q(certifies_from__in=CertifiesFrom.values), name="tracks_certifies_from_is_known"
            ),
            models.CheckConstraint(
                condition=Q(valid_months=None) | Q(valid_months__gte=1, valid_months__lte=MOST_MONTHS),
                name="tracks_valid_months_in_range",
            ),
            models.CheckConstraint(condition=Q(language__regex=LANGUAGE), name="tracks_language_is_bcp47"),
        ]
        indexes = [
            # The admin's search: which title begins like this, in whatever organization?
            models.Index(Collate(Lower("title"), "C"), name="tracks_by_title_prefix"),
            # The admin's search: which has this external id, in whatever organization?
            models.Index(fields=["external_id"], condition=Q(external_id__isnull=False), name="tracks_by_external_id"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def takes_any_answer(self) -> bool:
        """Whether a learner's own answers count for completing it."""
        return self.certifies_from == CertifiesFrom.ANY


class ItemQuerySet(models.QuerySet["Item"]):
    def active(self) -> Self:
        return self.filter(retired_at=None)

    def hold(self, item_ids: Collection[UUID]) -> set[UUID]:
        """Those that are still there; they can be changed, but not deleted, until the transaction ends."""
        with connections[self.db].cursor() as cursor:
            cursor.execute("SELECT id FROM items WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE", [list(item_ids)])
            return {item_id for (item_id,) in cursor.fetchall()}


class Item(models.Model):
    """Something to answer. One with answers is retired, never deleted."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    track = models.ForeignKey(Track, on_delete=models.PROTECT, related_name="items")
    external_id = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - unique where there is one
    title = models.CharField(max_length=255)
    position = models.PositiveIntegerField(default=0)
    retired_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = ItemQuerySet.as_manager()

    class Meta:
        db_table = "items"
        ordering = ["track_id", "position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["track", "external_id"],
                name="items_external_id_unique_in_track",
                violation_error_message="The track has an item with this external id already.",
            )
        ]
        indexes = [
            # The admin's search: which title begins like this, in whatever track?
            models.Index(Collate(Lower("title"), "C"), name="items_by_title_prefix"),
            # The admin's search: which has this external id, in whatever track?
            models.Index(fields=["external_id"], condition=Q(external_id__isnull=False), name="items_by_external_id"),
        ]

    def __str__(self) -> str:
        return self.title


class TrackVersion(models.Model):
    """A track as it was when somebody was certified for it. Never changed; the same content is the same version."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    track = models.ForeignKey(Track, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    content_sha256 = models.BinaryField(max_length=32)
    title = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    criteria = models.TextField(blank=True)
    language = models.CharField(max_length=16)
    items = models.JSONField(default=list, help_text="The titles of its active items, in their order.")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "track_versions"
        ordering = ["track_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["track", "content_sha256"], name="track_versions_one_per_content"),
            models.UniqueConstraint(fields=["track", "number"], name="track_versions_numbered_per_track"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.number})"
