"""How an organization's certificates look."""

from typing import Self
from uuid import UUID

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from cerply import clock
from cerply.accounts.models import Organization
from cerply.identifiers import uuid7
from cerply.tenancy import TenantQuerySet

COLOUR = r"^#[0-9a-fA-F]{6}$"


class Layout(models.TextChoices):
    CLASSIC = "classic", "Classic: landscape, in a frame of fine lines"
    MODERN = "modern", "Modern: landscape, with a band of colour"
    LETTER = "letter", "Letter: portrait, plain"


class Language(models.TextChoices):
    """In which a certificate may be written; what each sentence is, is in `certificates.wording`."""

    ENGLISH = "en", "English"
    GERMAN = "de", "German"
    FRENCH = "fr", "French"
    SPANISH = "es", "Spanish"
    ARABIC = "ar", "Arabic"
    JAPANESE = "ja", "Japanese"


class CertificateDesignQuerySet(TenantQuerySet["CertificateDesign"]):
    def newest_first(self) -> Self:
        return self.order_by("-number")

    def current_of(self, organization_id: UUID) -> "CertificateDesign | None":
        return self.for_organization(organization_id).newest_first().first()


class CertificateDesign(models.Model):
    """A version of an organization's design, never changed: certificates keep the one that they were issued with.

    ``signatories`` are up to three of ``{"name", "title", "signature"}``, the last the name under which the storage
    keeps the picture, or empty. ``texts`` has a sentence of the organization's own for some of the languages.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="certificate_designs", db_index=False
    )
    number = models.PositiveIntegerField()
    layout = models.CharField(max_length=16, choices=Layout, default=Layout.CLASSIC)
    colour = models.CharField(
        max_length=7, blank=True, validators=[RegexValidator(COLOUR, "Give a colour as #rrggbb.")]
    )
    ink = models.CharField(max_length=7, blank=True, validators=[RegexValidator(COLOUR, "Give a colour as #rrggbb.")])
    logo = models.CharField(max_length=255, blank=True)
    signatories = models.JSONField(default=list, blank=True)
    texts = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = CertificateDesignQuerySet.as_manager()

    class Meta:
        db_table = "certificate_designs"
        ordering = ["organization_id", "-number"]
        constraints = [
            # Also what finds an organization's newest.
            models.UniqueConstraint(
                fields=["organization", "number"], name="certificate_designs_numbered_per_organization"
            ),
            models.CheckConstraint(condition=Q(layout__in=Layout.values), name="certificate_designs_layout_is_known"),
            models.CheckConstraint(
                condition=(Q(colour="") | Q(colour__regex=COLOUR)) & (Q(ink="") | Q(ink__regex=COLOUR)),
                name="certificate_designs_colours_are_rgb",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organization} {self.number}"

    @property
    def printed_colour(self) -> str:
        return self.colour or self.organization.colour

    @property
    def printed_logo(self) -> str:
        return self.logo or self.organization.logo.name or ""
