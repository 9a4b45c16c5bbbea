"""Certificates, and the keys that sign them."""

from datetime import datetime
from typing import Any, Self
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.clock import rfc3339
from cerply.permissions import Caller
from cerply.tenancy import TenantQuerySet
from cerply.tracks.models import Track


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


class SigningKeyQuerySet(TenantQuerySet["SigningKey"]):
    def active(self) -> Self:
        return self.filter(retired_at=None)


class SigningKey(models.Model):
    """An Ed25519 key pair of an organization. The private half is encrypted, see `certificates.keys`."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="signing_keys")
    public_key = models.BinaryField(max_length=32)
    sealed_private_key = models.BinaryField()
    created_at = models.DateTimeField(default=clock.now)
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = SigningKeyQuerySet.as_manager()

    class Meta:
        db_table = "signing_keys"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization"], condition=Q(retired_at=None), name="signing_keys_one_active_per_organization"
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class CertificateQuerySet(TenantQuerySet["Certificate"]):
    def standing(self) -> Self:
        """Neither revoked nor replaced; of each learner and track there is one at most."""
        return self.filter(revoked_at=None, replaced_at=None)

    def owed_a_pdf(self) -> Self:
        return self.filter(pdf="")

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
    """What a learner was certified for. What it says was frozen when it was issued; only its end is written later."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="certificates")
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="certificates", db_index=False)
    track = models.ForeignKey(Track, on_delete=models.PROTECT, related_name="certificates")
    organization_name = models.CharField(max_length=255)
    learner_name = models.CharField(max_length=255)
    track_title = models.CharField(max_length=255)
    colour = models.CharField(max_length=7)
    logo = models.CharField(max_length=255, blank=True, help_text="The name under which the storage keeps it.")
    source = models.CharField(max_length=16, choices=Source)
    public_url = models.CharField(max_length=255, help_text="Where it said that it can be verified.")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="certificates")
    signature = models.CharField(max_length=128)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revocation_reason = models.CharField(max_length=500, blank=True)
    replaced_at = models.DateTimeField(null=True, blank=True)
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
            # The admin's lists of the revoked, the replaced and those that expire, of all organizations, newest first.
            models.Index(
                fields=["-issued_at", "-id"], condition=Q(revoked_at__isnull=False), name="certificates_revoked"
            ),
            models.Index(
                fields=["-issued_at", "-id"], condition=Q(replaced_at__isnull=False), name="certificates_replaced"
            ),
            models.Index(fields=["expires_at"], condition=Q(expires_at__isnull=False), name="certificates_expiring"),
            # The job that renders: which have no PDF yet?
            models.Index(fields=["issued_at"], condition=Q(pdf=""), name="certificates_owed_a_pdf"),
        ]

    def __str__(self) -> str:
        return f"{self.track_title}: {self.learner_name}"

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None

    def status_at(self, moment: datetime) -> Status:
        if self.revoked_at and self.revoked_at <= moment:
            return Status.REVOKED
        if self.replaced_at and self.replaced_at <= moment:
            return Status.REPLACED
        if self.expires_at and self.expires_at <= moment:
            return Status.EXPIRED
        return Status.VALID

    def statement(self) -> dict[str, Any]:
        """What is signed. It has no room for what may change later."""
        return {
            "id": str(self.id),
            "organizationId": str(self.organization_id),
            "organizationName": self.organization_name,
            "learnerId": str(self.learner_id),
            "learnerName": self.learner_name,
            "trackId": str(self.track_id),
            "trackTitle": self.track_title,
            "source": self.source,
            "issuedAt": rfc3339(self.issued_at),
            "expiresAt": rfc3339(self.expires_at) if self.expires_at else None,
        }

    @property
    def verification_url(self) -> str:
        """Where anyone can verify it now."""
        return self.verification_url_at(settings.PUBLIC_URL)

    @property
    def printed_url(self) -> str:
        """The address that its PDF shows."""
        return self.verification_url_at(self.public_url)

    def verification_url_at(self, public_url: str) -> str:
        return f"{public_url}/api/certificates/{self.id}/verify?signature={self.signature}"

    @property
    def download_url(self) -> str:
        return f"{settings.PUBLIC_URL}/api/certificates/{self.id}/download"
