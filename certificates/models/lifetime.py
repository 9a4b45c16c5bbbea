"""What happens to a certificate after it was issued."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q

from cerply import clock
from cerply.accounts.models import Organization
from cerply.identifiers import uuid7
from cerply.tenancy import TenantQuerySet


class RevocationCode(models.TextChoices):
    """Why a certificate was revoked, as strangers may know it; see `representation.SENTENCES`."""

    ISSUED_IN_ERROR = "issued_in_error", "Issued in error"
    REQUIREMENTS_NOT_MET = "requirements_not_met", "Requirements not met"
    MISCONDUCT = "misconduct", "Misconduct"
    SUPERSEDED = "superseded", "Superseded"
    HOLDER_REQUEST = "holder_request", "Asked for by the holder"
    OTHER = "other", "Other"


class SuspensionQuerySet(TenantQuerySet["Suspension"]):
    def at(self, moment: datetime) -> Self:
        """Those that lasted then."""
        return self.filter(Q(reinstated_at=None) | Q(reinstated_at__gt=moment), suspended_at__lte=moment)


class Suspension(models.Model):
    """A time during which a certificate did not hold. The open one, which is the present one, has no end yet."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    certificate = models.ForeignKey("certificates.Certificate", on_delete=models.PROTECT, related_name="suspensions")
    suspended_at = models.DateTimeField(default=clock.now)
    reason = models.CharField(max_length=500)
    reinstated_at = models.DateTimeField(null=True)
    reinstatement_reason = models.CharField(max_length=500, blank=True)

    objects = SuspensionQuerySet.as_manager()

    class Meta:
        db_table = "suspensions"
        ordering = ["suspended_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["certificate"], condition=Q(reinstated_at=None), name="suspensions_one_open_per_certificate"
            ),
            models.CheckConstraint(
                condition=Q(reinstated_at=None, reinstatement_reason="")
                | Q(reinstated_at__gte=F("suspended_at")) & ~Q(reinstatement_reason=""),
                name="suspensions_end_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.certificate_id} from {self.suspended_at:%Y-%m-%d}"

    def lasted_at(self, moment: datetime) -> bool:
        return self.suspended_at <= moment and (self.reinstated_at is None or self.reinstated_at > moment)


class ReminderQuerySet(TenantQuerySet["ExpiryReminder"]):
    def owed_a_mail(self) -> Self:
        """The oldest first."""
        return self.filter(mail_due=True).order_by("id")


class ExpiryReminder(models.Model):
    """Learner and managers are told that a certificate ends in so many days. The learner's mail may still be due."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    certificate = models.ForeignKey(
        "certificates.Certificate", on_delete=models.PROTECT, related_name="reminders", db_index=False
    )
    days = models.PositiveSmallIntegerField(help_text="Which of the steps: so many days before the end.")
    created_at = models.DateTimeField(default=clock.now)
    mail_due = models.BooleanField(default=True)
    mailed_at = models.DateTimeField(null=True)

    objects = ReminderQuerySet.as_manager()

    class Meta:
        db_table = "expiry_reminders"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["certificate", "days"], name="expiry_reminders_once_per_step"),
        ]
        indexes = [
            # The job that mails: what is still owed?
            models.Index(fields=["id"], condition=Q(mail_due=True), name="expiry_reminders_owed_a_mail"),
        ]

    def __str__(self) -> str:
        return f"{self.certificate_id}, {self.days} days before its end"
