"""Certificates: what learners are certified for."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID, uuid4

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.permissions import Caller
from cerply.tenancy import TenantQuerySet
from cerply.tracks.models import Track, TrackVersion
from certificates.models.credentials import Credential
from certificates.models.designs import CertificateDesign, Language
from certificates.models.issuers import SigningKey
from certificates.models.lifetime import RevocationCode, Suspension

# From so long before its end on, completing the track again renews a certificate.
RENEWAL = timedelta(days=90)


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
        """Neither revoked nor replaced nor renewed; of each learner and track there is one at most."""
        return self.filter(revoked_at=None, replaced_at=None, renewed_at=None)

    def locked(self, ids: Iterable[UUID]) -> Self:
        """In id order, so that two who lock the same do not deadlock; with their credentials."""
        rows = self.filter(id__in=list(ids)).select_related("credential").order_by("id")
        return rows.select_for_update(no_key=True, of=("self",))

    def kept(self) -> Self:
        """Those of which we still have what they say; the others are erased."""
        return self.filter(erased_at=None)

    def owed_a_pdf(self) -> Self:
        """The oldest first."""
        return self.kept().filter(pdf="").order_by("issued_at", "id")

    def after(self, latest: "Certificate | None") -> Self:
        """Those that were issued after this one, in the order of `owed_a_pdf`."""
        if latest is None:
            return self
        return self.filter(Q(issued_at__gt=latest.issued_at) | Q(issued_at=latest.issued_at, id__gt=latest.id))

    def ending(self, after: tuple[datetime, UUID], until: datetime) -> Self:
        """Those that end in this time and are not renewed, of people and organizations that are here; the next first.

        ``after`` is the end and the id of one; those that come after it are meant.
        """
        end, key = after
        there = self.standing().kept().filter(suspended_at=None, learner__is_active=True, organization__closed_at=None)
        ending = there.filter(Q(expires_at__gt=end) | Q(expires_at=end, id__gt=key), expires_at__lte=until)
        return ending.filter(expires_at__gte=end).select_related("learner").order_by("expires_at", "id")

    def visible_to(self, caller: Caller) -> Self:
        """Those of the learners that the caller sees."""
        certificates = self.in_reach_of(caller)
        if caller.reads_organization:
            return certificates
        return certificates.filter(learner__in=User.objects.visible_to(caller).values("id"))

    def issued_by(self, moment: datetime) -> Self:
        """Those that were there then. What replaces another bears its date, and came when that one went."""
        return self.filter(issued_at__lte=moment).exclude(replaces__replaced_at__gt=moment)

    def with_suspensions(self) -> Self:
        """For `Certificate.status_at` of a past moment, without a query each."""
        return self.prefetch_related("suspensions")

    def with_status(self, status: Status, moment: datetime) -> Self:
        """Those of which `Certificate.status_at` says so."""
        not_revoked, not_replaced, not_expired = (
            Q(**{name: None}) | Q(**{f"{name}__gt": moment}) for name in ("revoked_at", "replaced_at", "expires_at")
        )
        suspended = Exists(Suspension.objects.at(moment).filter(certificate=OuterRef("pk")))
        match status:
            case Status.REVOKED:
                return self.filter(revoked_at__lte=moment)
            case Status.REPLACED:
                return self.filter(not_revoked, replaced_at__lte=moment)
            case Status.SUSPENDED:
                return self.filter(not_revoked, not_replaced, suspended)
            case Status.EXPIRED:
                return self.filter(not_revoked, not_replaced, ~suspended, expires_at__lte=moment)
            case Status.VALID:
                return self.filter(not_revoked, not_replaced, ~suspended, not_expired)


class Certificate(models.Model):
    """What a learner was certified for. What it says was frozen when it was issued.

    Only its end is written later, and who sees the name; once it is erased, the name is empty.
    A successor with a later end renews it, and this one runs out.
    A successor that says the same with another name replaces it, and this one no longer holds.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="certificates")
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="certificates", db_index=False)
    track = models.ForeignKey(Track, on_delete=models.PROTECT, related_name="certificates")
    track_version = models.ForeignKey(TrackVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    # What others verify; it has the certificate's id.
    credential = models.OneToOneField(Credential, on_delete=models.PROTECT, related_name="certificate")
    organization_name = models.CharField(max_length=255)
    learner_name = models.CharField(max_length=255, blank=True, help_text="Empty once it is erased.")
    track_title = models.CharField(max_length=255)
    colour = models.CharField(max_length=7)
    logo = models.CharField(max_length=255, blank=True, help_text="The name under which the storage keeps it.")
    # None: the plain one that every organization starts with.
    design = models.ForeignKey(
        CertificateDesign, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    language = models.CharField(
        max_length=16, choices=Language, default=Language.ENGLISH, db_default=Language.ENGLISH.value
    )
    source = models.CharField(max_length=16, choices=Source)
    public_url = models.CharField(max_length=255, help_text="Where it said that it can be verified.")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revocation_reason = models.CharField(max_length=500, blank=True)
    # Empty for those that were revoked before there were codes.
    revocation_code = models.CharField(max_length=32, choices=RevocationCode, blank=True, default="", db_default="")
    # Since when; what was before, `suspensions` know.
    suspended_at = models.DateTimeField(null=True, blank=True)
    # The latest time.
    reinstated_at = models.DateTimeField(null=True, blank=True)
    replaced_at = models.DateTimeField(null=True, blank=True)
    replacement_reason = models.CharField(max_length=500, blank=True, default="", db_default="")
    renewed_at = models.DateTimeField(null=True, blank=True)
    replaces = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    replaced_by = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    name_visible = models.BooleanField(
        default=True, db_default=True, help_text="Whether who scans its code sees the learner's name; she decides."
    )
    # When the name was removed, with the credential and the file; see `certificates.erasing`.
    erased_at = models.DateTimeField(null=True, blank=True)
    pdf = models.CharField(max_length=255, blank=True, help_text="The name under which the storage keeps it.")
    pdf_sha256 = models.CharField(max_length=64, blank=True)

    objects = CertificateQuerySet.as_manager()

    class Meta:
        db_table = "certificates"
        ordering = ["-issued_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["learner", "track"],
                condition=Q(revoked_at=None, replaced_at=None, renewed_at=None),
                name="certificates_one_standing",
            ),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="certificates_source_is_known"),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revocation_reason="")
                | Q(revoked_at__isnull=False) & ~Q(revocation_reason=""),
                name="certificates_revoked_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(revocation_code="")
                | Q(revoked_at__isnull=False, revocation_code__in=RevocationCode.values),
                name="certificates_revocation_code_is_known",
            ),
            models.CheckConstraint(
                condition=Q(replacement_reason="") | Q(replaced_at__isnull=False),
                name="certificates_replacement_has_a_time",
            ),
            models.UniqueConstraint(
                fields=["replaces"], condition=Q(replaces__isnull=False), name="certificates_one_successor"
            ),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("issued_at")), name="certificates_expire_after_issue"
            ),
            models.CheckConstraint(
                condition=Q(erased_at=None) | Q(learner_name="", pdf=""), name="certificates_erased_say_no_name"
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
            models.Index(
                fields=["issued_at", "id"], condition=Q(pdf="", erased_at=None), name="certificates_awaiting_a_pdf"
            ),
            # The job that reminds: which end soon?
            models.Index(
                fields=["expires_at", "id"],
                condition=Q(revoked_at=None, replaced_at=None, renewed_at=None, expires_at__isnull=False),
                name="certificates_ending",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.track_title}: {self.learner_name}"

    def status_at(self, moment: datetime) -> Status:
        if self.revoked_at and self.revoked_at <= moment:
            return Status.REVOKED
        if self.replaced_at and self.replaced_at <= moment:
            return Status.REPLACED
        if self.suspended_since(moment):
            return Status.SUSPENDED
        if self.expires_at and self.expires_at <= moment:
            return Status.EXPIRED
        return Status.VALID

    def suspended_since(self, moment: datetime) -> datetime | None:
        """Since when it was suspended then. Its past is looked up only where the moment lies in it."""
        if self.suspended_at and self.suspended_at <= moment:
            return self.suspended_at
        if self.reinstated_at and self.reinstated_at > moment:
            lasted = [each.suspended_at for each in self.suspensions.all() if each.lasted_at(moment)]
            return lasted[0] if lasted else None
        return None

    def is_due_for_renewal(self, moment: datetime) -> bool:
        """Whether completing the track again renews it: near its end (in the second half of its time) or after it."""
        if self.expires_at is None:
            return False
        return moment >= self.expires_at - min(RENEWAL, (self.expires_at - self.issued_at) / 2)

    @property
    def code(self) -> RevocationCode:
        """Why it was revoked."""
        return RevocationCode(self.revocation_code or RevocationCode.OTHER)

    @property
    def signature(self) -> str:
        """The ``proofValue`` of its credential."""
        return self.credential.proof_value

    @property
    def file_name(self) -> str:
        """Where its PDF is stored; what is made again has something between the id and the dot."""
        return f"certificates/{self.id.hex[:2]}/{self.id}.pdf"

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


class CertificateRendering(models.Model):
    """A PDF that we made of a certificate. Its hash stays on record also when the certificate is rendered anew.

    ``key`` signed the credential that is attached; None of renderings from before that was on record. ``page_sha256``
    is the hash of the file before it was sealed; empty of one that was not.
    """

    sha256 = models.CharField(primary_key=True, max_length=64, editable=False)
    certificate = models.ForeignKey(Certificate, on_delete=models.PROTECT, related_name="renderings")
    rendered_at = models.DateTimeField(default=clock.now, editable=False)
    key = models.ForeignKey(
        SigningKey, null=True, on_delete=models.PROTECT, related_name="+", db_index=False, editable=False
    )
    page_sha256 = models.CharField(max_length=64, blank=True, db_default="", default="", editable=False)

    class Meta:
        db_table = "certificate_renderings"
        ordering = ["-rendered_at"]

    def __str__(self) -> str:
        return self.sha256

    @property
    def is_current(self) -> bool:
        """Whether it is the one that is downloaded now."""
        return self.certificate.pdf_sha256 == self.sha256

    @property
    def bears_current_proof(self) -> bool:
        """Whether what is attached is the credential as it is signed now.

        A rendering that is not current may do so: a sealed file that was lost has another one in its place. Before keys
        were on record, nothing but signing again made another rendering.
        """
        if self.key_id is None:
            return self.is_current
        return self.key_id == self.certificate.credential.key_id
