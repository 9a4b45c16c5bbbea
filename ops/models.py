"""What the running of the service needs to remember."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.expressions import RawSQL

from cerply import clock
from cerply.identifiers import uuid7


class Feature(models.TextChoices):
    """Values are the keys of ``settings.FEATURE_SWITCHES``."""

    GAMIFICATION = "gamification", "Gamification"
    CERTIFICATES = "certificates", "Certificates"
    MANAGER_NOTIFICATIONS = "manager_notifications", "Manager notifications"


class FeatureRollout(models.Model):
    """How far a feature is rolled out among the organizations that have no say of their own.

    Whoever changes anything about a feature holds the lock of this row.
    """

    feature = models.CharField(primary_key=True, max_length=40, choices=Feature, editable=False)
    percentage = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Of the organizations without a toggle that are not pilots. Empty: all of them.",
    )
    changed_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "feature_rollouts"
        ordering = ["feature"]
        verbose_name = "feature"
        constraints = [
            models.CheckConstraint(
                condition=Q(percentage=None) | Q(percentage__range=(0, 100)),
                name="feature_rollouts_percentage_in_range",
            )
        ]

    def __str__(self) -> str:
        return Feature(self.feature).label


class FeatureEnrolmentQuerySet(models.QuerySet["FeatureEnrolment"]):
    def candidates(self, feature: str) -> Self:
        """Those that a rollout may choose: without a toggle of their own, and not pilots."""
        return self.filter(feature=feature, toggle=None, pilot=False)

    def switched_since(self, feature: str, *, switch: bool, percentage: int | None) -> Self:
        """Those for which `ops.features.Decision.of` says other than when it was last noticed."""
        decided = Case(
            When(toggle__isnull=False, then=F("toggle")),
            When(pilot=True, then=True),
            default=F("in_rollout") if percentage is not None else Value(True),
        )
        now_on = self.filter(feature=feature).annotate(now_on=decided if switch else Value(False))
        return now_on.exclude(effective=F("now_on"))


class FeatureEnrolment(models.Model):
    """What holds for one feature in one open organization."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    feature = models.CharField(max_length=40, choices=Feature, editable=False)
    organization_id = models.UUIDField(editable=False)
    toggle = models.BooleanField(null=True, blank=True, help_text="The organization's own: on, off, or no say.")
    pilot = models.BooleanField(default=False, help_text="On before the rollout reaches it.")
    in_rollout = models.BooleanField(default=False, editable=False)
    # The decision as it was last noticed; what differs from the present one has been switched since.
    effective = models.BooleanField(default=False, editable=False)

    objects = FeatureEnrolmentQuerySet.as_manager()

    class Meta:
        db_table = "feature_enrolments"
        ordering = ["organization_id", "feature"]
        constraints = [
            # Also the index of every decision: what holds for this organization?
            models.UniqueConstraint(
                fields=["organization_id", "feature"], name="feature_enrolments_once_per_organization"
            ),
            models.CheckConstraint(
                condition=Q(in_rollout=False) | Q(toggle=None, pilot=False),
                name="feature_enrolments_rollout_is_of_candidates",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.feature} in {self.organization_id}"


class IdempotencyKeyQuerySet(models.QuerySet["IdempotencyKey"]):
    def expired(self, moment: datetime) -> Self:
        return self.filter(created_at__lte=moment - IdempotencyKey.VALIDITY)

    def naming(self, ids: Iterable[UUID]) -> Self:
        """Those whose path or answer has one of these ids. Looks at every row."""
        found = (
            "EXISTS (SELECT FROM unnest(%s::text[]) AS id"
            " WHERE position(convert_to(id, 'UTF8') in body) > 0 OR position(id in lower(path)) > 0)"
        )
        named = RawSQL(found, [[str(id_) for id_ in ids]], models.BooleanField())  # noqa: S611 - no text of others
        return self.alias(named=named).filter(named=True).exclude(body=b"")


class IdempotencyKey(models.Model):
    """The answer to a write, for whoever sends the same again."""

    VALIDITY = timedelta(hours=24)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    caller = models.CharField(max_length=64)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=500)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    created_at = models.DateTimeField()

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        db_table = "idempotency_keys"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["caller", "method", "path", "key"], name="idempotency_keys_unique_in_scope")
        ]
        indexes = [
            # Cleaning up: which have expired?
            models.Index(fields=["created_at"], name="idempotency_keys_by_age")
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.key}"

    def is_valid_at(self, moment: datetime) -> bool:
        return moment < self.created_at + self.VALIDITY


class JobOutcome(models.TextChoices):
    DUE = "due", "Due"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed, to be tried again"
    GAVE_UP = "gave_up", "Given up"
    MISSED = "missed", "Missed"


FINISHED = (JobOutcome.SUCCEEDED, JobOutcome.GAVE_UP, JobOutcome.MISSED)


class JobRun(models.Model):
    """The ledger: one row for each job and the time it was due. Who holds the lease works on it, and nobody else.

    Of one that is due, the lease says until when its task may be on its way to a worker.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.CharField(max_length=80)
    window = models.DateTimeField(help_text="When it was due.")
    attempts = models.PositiveSmallIntegerField(default=0)
    outcome = models.CharField(max_length=16, choices=JobOutcome, default=JobOutcome.DUE)
    detail = models.TextField(blank=True, help_text="What it did, or why it did not.")
    lease_until = models.DateTimeField()
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True, help_text="The latest attempt.")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "job_runs"
        ordering = ["-window", "job"]
        constraints = [
            # Also the index of what each job did latest.
            models.UniqueConstraint(fields=["job", "window"], name="job_runs_once_per_window"),
            models.CheckConstraint(
                condition=Q(outcome__in=FINISHED, finished_at__isnull=False)
                | (~Q(outcome__in=FINISHED) & Q(finished_at=None)),
                name="job_runs_finished_by_outcome",
            ),
        ]
        indexes = [
            # The admin's list, newest first; and the old ones to delete.
            models.Index(fields=["-window", "job"], name="job_runs_by_window"),
            # The sweep: which are not finished though nobody holds the lease?
            models.Index(fields=["lease_until"], condition=Q(finished_at=None), name="job_runs_unfinished"),
        ]

    def __str__(self) -> str:
        return f"{self.job} of {self.window:%Y-%m-%d %H:%M}"

    @property
    def duration(self) -> timedelta | None:
        """Of the attempt that was the last."""
        return self.finished_at - self.started_at if self.finished_at and self.started_at else None


class Delivery(models.Model):
    """How often a task of the queue was given to a worker, for as long as it is there."""

    task_id = models.BigIntegerField(primary_key=True, help_text="Of django_q_ormq.")
    tries = models.PositiveSmallIntegerField(default=1)

    class Meta:
        db_table = "task_deliveries"
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"task {self.task_id}, {self.tries} times"


class WorkerHeartbeat(models.Model):
    """A process of the job worker says now and then that it lives."""

    process = models.CharField(primary_key=True, max_length=255, editable=False)
    beat_at = models.DateTimeField()

    class Meta:
        db_table = "worker_heartbeats"

    def __str__(self) -> str:
        return self.process


class TallyRow(models.Model):
    """How often something happened, since the beginning, in all processes: see `cerply.metrics.Tally`."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=80)
    value = models.CharField(max_length=255, help_text="Of the tally's label.")
    amount = models.BigIntegerField()

    class Meta:
        db_table = "tallies"
        constraints = [models.UniqueConstraint(fields=["name", "value"], name="tallies_once_each")]

    def __str__(self) -> str:
        return f"{self.name} {self.value}: {self.amount}"


class RateCount(models.Model):
    """How often somebody has asked, in a window that ends."""

    key = models.CharField(primary_key=True, max_length=64)
    count = models.PositiveIntegerField()
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "rate_counts"
        indexes = [
            # The job that forgets what is over.
            models.Index(fields=["expires_at"], name="rate_counts_by_end")
        ]

    def __str__(self) -> str:
        return f"{self.count} until {self.expires_at:%H:%M:%S}"
