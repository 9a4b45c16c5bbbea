"""Certificates: what learners are certified for."""

from datetime import datetime
from typing import Self
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from cerply.accounts.models import Organization, User
from cerply.permissions import Caller
from cerply.tenancy import TenantQuerySet
from cerply.tracks.models import Track, TrackVersion
from certificates.models.credentials import Credential


class Source(models.TextChoices):
    """Where answers, a completion and so a certificate come from."""

    SELF = "self", "Answers that the learner's own credential recorded"
    SYSTEM = "system", "Answers that the organization's systems recorded"
    OUTSIDE = "outside", "Completed outside Cerply"


class Status(models.TextChoices):
    VALID = "valid", "Valid"
    EXPIRED = "expired", "Expired"
    REVOKED = "revoked", "Revoked"
    SUSPENDED = "suspended", "Suspended"
    REPLACED = "replaced", "Replaced"


class CertificateQuerySet(TenantQuerySet["Certificate"]):
    def standing(self) -> Self:
        """Neither revoked nor replaced; of each learner and track there is one at most."""
        return self.filter(revoked_at=None, replaced_at=None)

    def owed_a_pdf(self) -> Self:
        """The oldest first."""
        return self.filter(pdf="").order_by("issued_at", "id")

    def after(self, latest: "Certificate | None") -> Self:
        """Those that were issued after this one, in the order of `owed_a_pdf`."""
        if latest is None:
            return self
        return self.filter(Q(issued_at__gt=latest.issued_at) | Q(issued_at=latest.issued_at, id__gt=latest.id))

    def visible_to(self, caller: Caller) -> Self:
        """Those of the learners that the caller sees."""
        certificates = self.in_reach_of(caller)
        if caller.reads_organization:
            return certificates
        return certificates.filter(learner__in=User.objects.visible_to(caller).values("id"))

    def issued_by(self, moment: datetime) -> Self:
        return self.filter(issued_at__lte=moment)

    def with_status(self, status: Status, moment: datetime) -> Self:
        """Those of which `Certificate.status_at` says so."""
        not_revoked, not_replaced, not_expired = (
            Q(**{name: None}) | Q(**{f"{name}__gt": moment}) for name in ("revoked_at", "replaced_at", "expires_at")
        )
        match status:
            case Status.REVOKED:
                return self.filter(revoked_at__lte=moment)
            case Status.REPLACED:
                return self.filter(not_revoked, replaced_at__lte=moment)
            case Status.EXPIRED:
                return self.filter(not_revoked, not_replaced, expires_at__lte=moment)
            case Status.VALID:
                return self.filter(not_revoked, not_replaced, not_expired)
        return self.none()


class Certificate(models.Model):
    """What a learner was certified for. What it says was frozen when it was issued.

    Only its end is written later, and who sees the name.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="certificates")
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="certificates", db_index=False)
    track = models.ForeignKey(Track, on_delete=models.PROTECT, related_name="certificates")
    track_version = models.ForeignKey(TrackVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    # What others verify; it has the certificate's id.
    credential = models.OneToOneField(Credential, on_delete=models.PROTECT, related_name="certificate")
    organization_name = models.CharField(max_length=255)
    learner_name = models.CharField(max_length=255)
    track_title = models.CharField(max_length=255)
    colour = models.CharField(max_length=7)
    logo = models.CharField(max_length=255, blank=True, help_text="The name under which the storage keeps it.")
    source = models.CharField(max_length=16, choices=Source)
    public_url = models.CharField(max_length=255, help_text="Where it said that it can be verified.")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revocation_reason = models.CharField(max_length=500, blank=True)
    replaced_at = models.DateTimeField(null=True, blank=True)
    name_visible = models.BooleanField(
        default=True, db_default=True, help_text="Whether who scans its code sees the learner's name; she decides."
    )
    pdf = models.CharField(max_length=255, blank=True, help_text="The name under which the storage keeps it.")
    pdf_sha256 = models.CharField(max_length=64, blank=True)

    objects = CertificateQuerySet.as_manager()

    class Meta:
        db_table = "certificates"
        ordering = ["-issued_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["learner", "track"],
                condition=Q(revoked_at=None, replaced_at=None),
                name="certificates_one_standing_per_learner_and_track",
            ),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="certificates_source_is_known"),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revocation_reason="")
                | Q(revoked_at__isnull=False) & ~Q(revocation_reason=""),
                name="certificates_revoked_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("issued_at")), name="certificates_expire_after_issue"
            ),
        ]
        indexes = [
            # GET /api/learners/{id}/certificates, newest first.
            models.Index(fields=["learner", "-issued_at", "-id"], name="certificates_by_learner"),
            # GET /api/certificates, newest first.
            models.Index(fields=["organization", "-issued_at", "-id"], name="certificates_by_organization"),
            # The admin's list of all organizations, newest first.
            models.Index(fields=["-issued_at", "-id"], name="certificates_newest"),
            # The job that renders: which have no PDF yet?
            models.Index(fields=["issued_at", "id"], condition=Q(pdf=""), name="certificates_owed_a_pdf"),
        ]

    def __str__(self) -> str:
        return f"{self.track_title}: {self.learner_name}"

    def status_at(self, moment: datetime) -> Status:
        if self.revoked_at and self.revoked_at <= moment:
            return Status.REVOKED
        if self.replaced_at and self.replaced_at <= moment:
            return Status.REPLACED
        if self.expires_at and self.expires_at <= moment:
            return Status.EXPIRED
        return Status.VALID

    @property
    def signature(self) -> str:
        """The ``proofValue`` of its credential."""
        return self.credential.proof_value

    @property
    def verification_url(self) -> str:
        """Where a program can verify it now."""
        return f"{settings.PUBLIC_URL}/api/certificates/{self.id}/verify?signature={self.signature}"

    @property
    def printed_url(self) -> str:
        """The page for whoever is shown it: the address that its PDF and its code bear."""
        return f"{self.public_url}/verify/{self.id}"

    @property
    def download_url(self) -> str:
        return f"{settings.PUBLIC_URL}/api/certificates/{self.id}/download"
