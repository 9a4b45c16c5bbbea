"""The organizations' own systems, what they are owed, and who hears that one of them does not answer."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Self
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Exists, OuterRef, Q

from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.identifiers import uuid7
from cerply.tenancy import TenantQuerySet
from notifications.models.inbox import NotificationType
from ops import owed_mail
from ops.outbox import OutboxState, Owed, OwedQuerySet, state_is_known


class WebhookEvent(models.TextChoices):
    """What an endpoint is told, by the names that it reads."""

    LEVEL_CHANGED = "level.changed", "Level changed"
    BADGE_AWARDED = "badge.awarded", "Badge awarded"
    CERTIFICATE_ISSUED = "certificate.issued", "Certificate issued"
    CERTIFICATE_EXPIRING = "certificate.expiring", "Certificate expiring"
    LEARNER_AT_RISK = "learner.at_risk", "Learner at risk"
    TEST = "webhook.test", "Test"


EVENT_OF_TYPE = {
    NotificationType.LEVEL_UP: WebhookEvent.LEVEL_CHANGED,
    NotificationType.BADGE: WebhookEvent.BADGE_AWARDED,
    NotificationType.CERTIFICATE: WebhookEvent.CERTIFICATE_ISSUED,
    NotificationType.EXPIRING: WebhookEvent.CERTIFICATE_EXPIRING,
    NotificationType.AT_RISK: WebhookEvent.LEARNER_AT_RISK,
}


class EndpointState(models.TextChoices):
    ACTIVE = "active", "Active"
    DISABLED = "disabled", "Disabled"
    DELETED = "deleted", "Deleted"


class DisabledReason(models.TextChoices):
    FAILING = "failing", "It took nothing for a day."
    GONE = "gone", "It answered 410 Gone."
    SWITCHED_OFF = "switched_off", "It was switched off."


class WebhookEndpointQuerySet(TenantQuerySet["WebhookEndpoint"]):
    def active(self) -> Self:
        return self.filter(state=EndpointState.ACTIVE)

    def kept(self) -> Self:
        """All but the deleted ones, whose rows stay for as long as their deliveries do."""
        return self.exclude(state=EndpointState.DELETED)

    def locked(self) -> Self:
        """Locked against being changed; deliveries that refer to it are not held up."""
        return self.select_for_update(no_key=True, of=("self",))

    def with_work(self) -> Self:
        """Active ones to which something is to be sent now, the one that has waited longest first."""
        now = clock.now()
        due = WebhookDelivery.objects.filter(endpoint=OuterRef("pk")).due(now).order_by()
        return self.active().filter(Exists(due), held_until__lte=now).order_by("held_until", "id")


class WebhookEndpoint(models.Model):
    """A system of the organization that is told what its learners reach."""

    # How long a worker holds it at most, without saying anything.
    LEASE: ClassVar[timedelta] = timedelta(minutes=1)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="webhooks")
    url = models.CharField(max_length=2000)
    event_types = models.JSONField(default=list, help_text="Empty: all, also those to come.")
    state = models.CharField(max_length=16, choices=EndpointState, default=EndpointState.ACTIVE)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=16, choices=DisabledReason, blank=True)
    # See `notifications.webhooks.signing`; the former one counts until then, beside the new one.
    sealed_secret = models.BinaryField()
    former_sealed_secret = models.BinaryField(default=bytes, blank=True)
    former_until = models.DateTimeField(null=True, blank=True)
    # In a row, since the last one that was taken.
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    # Nothing is sent before: a worker is at it, or it failed and is left alone for a while.
    held_until = models.DateTimeField(default=clock.now)
    created_at = models.DateTimeField(default=clock.now)

    objects = WebhookEndpointQuerySet.as_manager()

    class Meta:
        db_table = "webhook_endpoints"
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=EndpointState.values), name="webhook_endpoints_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state=EndpointState.ACTIVE, disabled_at=None, disabled_reason="")
                | ~Q(state=EndpointState.ACTIVE) & Q(disabled_at__isnull=False),
                name="webhook_endpoints_disabled_at_some_time",
            ),
        ]
        indexes = [
            # The job: which has waited longest?
            models.Index(
                fields=["held_until", "id"], condition=Q(state=EndpointState.ACTIVE), name="webhook_endpoints_held"
            )
        ]

    def __str__(self) -> str:
        return self.origin

    @property
    def origin(self) -> str:
        """Its address without path and query, in which there may be a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def is_active(self) -> bool:
        return self.state == EndpointState.ACTIVE

    def wants(self, event: WebhookEvent) -> bool:
        return not self.event_types or event in self.event_types

    def disable(self, reason: DisabledReason) -> None:
        """In memory."""
        self.state, self.disabled_at, self.disabled_reason = EndpointState.DISABLED, clock.now(), reason

    def enable(self) -> None:
        """In memory; what failed before does not count."""
        self.state, self.disabled_at, self.disabled_reason = EndpointState.ACTIVE, None, ""
        self.failures, self.failing_since = 0, None
        self.be_tried_now()

    def be_tried_now(self) -> None:
        """In memory: it is left alone no longer. What a worker holds it keeps, so that one alone is at it."""
        now = clock.now()
        if self.held_until - now > self.LEASE:
            self.held_until = now


class WebhookDeliveryQuerySet(OwedQuerySet["WebhookDelivery"]):
    def of_endpoint(self, endpoint: WebhookEndpoint) -> Self:
        return self.filter(endpoint=endpoint)

    def undeliverable(self) -> Self:
        """Owed to endpoints that are not active any more."""
        others = WebhookEndpoint.objects.exclude(state=EndpointState.ACTIVE)
        return self.filter(state=OutboxState.DUE, endpoint__in=others).order_by("id")


class WebhookDelivery(Owed):
    """One event for one endpoint. Its id is the ``webhook-id``: the same however often it is sent."""

    # They sum up to a little more than a day.
    PAUSES: ClassVar[Sequence[timedelta]] = (
        *(timedelta(seconds=seconds) for seconds in (5, 30)),
        *(timedelta(minutes=minutes) for minutes in (2, 10, 30)),
        *(timedelta(hours=hours) for hours in (1, 2, 4, 6, 11)),
    )
    MOVING = (*Owed.MOVING, "status_code")

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    event = models.CharField(max_length=40, choices=WebhookEvent)
    # What happened: the attempt, the badge that was earned, the certificate.
    cause_id = models.UUIDField()
    learner = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    # Stored and not made anew for each try: what is sent again under the same id is the same, whatever has changed
    # since. It names the learner: see `notifications.webhooks.forgetting`.
    body = models.TextField()
    # Of the last answer. Nothing else of it is kept.
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        db_table = "webhook_deliveries"
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "cause_id"], name="webhook_deliveries_once_per_cause"),
            state_is_known("webhook_deliveries"),
        ]
        indexes = [
            # The job: what is due to an endpoint?
            models.Index(
                fields=["endpoint", "due_at", "id"],
                condition=Q(state=OutboxState.DUE),
                name="webhook_deliveries_due",
            ),
            # GET /api/webhooks/{id}/deliveries, newest first.
            models.Index(fields=["endpoint", "-created_at", "-id"], name="webhook_deliveries_by_endpoint"),
            # The admin's list of one organization, newest first.
            models.Index(fields=["organization", "id"], name="webhook_deliveries_by_org"),
            # The admin's list of one state, newest first; most are sent, and are found at once without it.
            models.Index(
                fields=["state", "id"], condition=~Q(state=OutboxState.SENT), name="webhook_deliveries_by_state"
            ),
            # The cleanup: what is long past?
            models.Index(
                fields=["finished_at"], condition=Q(finished_at__isnull=False), name="webhook_deliveries_finished"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"


class WebhookNoticeQuerySet(OwedQuerySet["WebhookNotice"]):
    pass


class WebhookNotice(Owed):
    """A mail to an admin that an endpoint was disabled: owed until the mail server has taken it."""

    PAUSES: ClassVar[Sequence[timedelta]] = owed_mail.PAUSES

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="notices")
    admin = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=16, choices=DisabledReason)

    objects = WebhookNoticeQuerySet.as_manager()

    class Meta:
        db_table = "webhook_notices"
        ordering = ["id"]
        constraints = [state_is_known("webhook_notices")]
        indexes = [
            # The job: which are due?
            models.Index(fields=["due_at", "id"], condition=Q(state=OutboxState.DUE), name="webhook_notices_due")
        ]

    def __str__(self) -> str:
        return f"{self.reason} to {self.admin_id}"
