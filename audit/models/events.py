"""What happened, and the counters that are kept of it."""

from datetime import datetime
from typing import Self
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from cerply.identifiers import uuid7
from cerply.permissions import ActorKind

NO_ORGANIZATION = UUID(int=0)


class EventType(models.TextChoices):
    BADGE_AWARDED = "badge_awarded", "Badge awarded"
    BADGE_CERTIFIED = "badge_certified", "Badge certified"
    LEVEL_CHANGED = "level_changed", "Level changed"
    COMPLETION_RECORDED = "completion_recorded", "Completion recorded"
    CERTIFICATE_ISSUED = "certificate_issued", "Certificate issued"
    CERTIFICATE_DOWNLOADED = "certificate_downloaded", "Certificate downloaded"
    CERTIFICATE_REVOKED = "certificate_revoked", "Certificate revoked"
    CERTIFICATE_SUSPENDED = "certificate_suspended", "Certificate suspended"
    CERTIFICATE_REINSTATED = "certificate_reinstated", "Certificate reinstated"
    CERTIFICATE_REPLACED = "certificate_replaced", "Certificate replaced"
    CERTIFICATE_ERASED = "certificate_erased", "Certificate erased"
    NOTIFICATION_MARKED_READ = "notification_marked_read", "Notification marked as read"
    NOTIFICATIONS_PURGED = "notifications_purged", "Notifications purged"
    PREFERENCES_CHANGED = "preferences_changed", "Notification preferences changed"
    NOTIFICATION_POLICY_CHANGED = "notification_policy_changed", "Notification policy changed"
    UNSUBSCRIBED = "unsubscribed", "Unsubscribed from e-mail"
    RESUBSCRIBED = "resubscribed", "Subscribed to e-mail again"
    ADDRESS_SUPPRESSED = "address_suppressed", "Address suppressed"
    ADDRESS_RELEASED = "address_released", "Address released"
    MAIL_REVIVED = "mail_revived", "E-mail sent again"

    WEBHOOK_CREATED = "webhook_created", "Webhook created"
    WEBHOOK_CHANGED = "webhook_changed", "Webhook changed"
    WEBHOOK_DELETED = "webhook_deleted", "Webhook deleted"
    WEBHOOK_DISABLED = "webhook_disabled", "Webhook disabled"
    WEBHOOK_ENABLED = "webhook_enabled", "Webhook enabled"
    WEBHOOK_SECRET_ROTATED = "webhook_secret_rotated", "Secret of a webhook rotated"  # noqa: S105 - a name
    WEBHOOK_TESTED = "webhook_tested", "Webhook tested"
    WEBHOOK_REPLAYED = "webhook_replayed", "Webhook deliveries replayed"

    SIGNED_IN = "signed_in", "Signed in"
    SIGN_IN_FAILED = "sign_in_failed", "Sign-in failed"
    LOCKED_OUT = "locked_out", "Locked out"
    LOCKOUT_LIFTED = "lockout_lifted", "Lock-out lifted"
    SECOND_FACTOR_SHOWN = "second_factor_shown", "Second factor shown"
    SECOND_FACTOR_FAILED = "second_factor_failed", "Second factor failed"
    AUTHENTICATOR_ADDED = "authenticator_added", "Authenticator set up"
    AUTHENTICATOR_REMOVED = "authenticator_removed", "Authenticator taken away"
    SIGNED_OUT = "signed_out", "Signed out"
    PASSWORD_LINK_REQUESTED = "password_link_requested", "Password link requested"  # noqa: S105 - a name
    PASSWORD_CHANGED = "password_changed", "Password changed"  # noqa: S105 - a name
    TOKEN_CREATED = "token_created", "Token created"  # noqa: S105 - a name
    TOKEN_REVOKED = "token_revoked", "Token revoked"  # noqa: S105 - a name
    ADMIN_TOKEN_USED = "admin_token_used", "Admin token used"  # noqa: S105 - a name

    USER_CREATED = "user_created", "User created"
    USER_UPDATED = "user_updated", "User updated"
    ROLE_CHANGED = "role_changed", "Role changed"
    USER_DEACTIVATED = "user_deactivated", "User deactivated"
    USER_REACTIVATED = "user_reactivated", "User reactivated"
    PEOPLE_IMPORTED = "people_imported", "People imported"
    TEAM_CREATED = "team_created", "Team created"
    TEAM_UPDATED = "team_updated", "Team updated"
    TEAM_DELETED = "team_deleted", "Team deleted"
    TEAM_MEMBER_ADDED = "team_member_added", "Team member added"
    TEAM_MEMBER_REMOVED = "team_member_removed", "Team member removed"

    TRACK_CREATED = "track_created", "Track created"
    TRACK_UPDATED = "track_updated", "Track updated"
    ITEMS_CHANGED = "items_changed", "Items changed"
    BADGE_CREATED = "badge_created", "Badge created"
    BADGE_CHANGED = "badge_changed", "Badge changed"

    ORGANIZATION_CREATED = "organization_created", "Organization created"
    ORGANIZATION_CHANGED = "organization_changed", "Organization changed"
    ORGANIZATION_CLOSED = "organization_closed", "Organization closed"
    ORGANIZATION_REOPENED = "organization_reopened", "Organization reopened"
    ORGANIZATION_DELETED = "organization_deleted", "Organization deleted"
    CERTIFICATE_DESIGN_CHANGED = "certificate_design_changed", "Certificate design changed"
    FEATURE_SWITCHED = "feature_switched", "Feature switched"
    ROLLOUT_CHANGED = "rollout_changed", "Rollout changed"
    SIGNING_KEY_CREATED = "signing_key_created", "Signing key created"
    SIGNING_KEY_ROTATED = "signing_key_rotated", "Signing key rotated"
    SIGNING_KEY_COMPROMISED = "signing_key_compromised", "Signing key compromised"
    IDENTITY_CHECKED = "identity_checked", "Identity of an issuer checked"
    IDENTITY_CHECK_WITHDRAWN = "identity_check_withdrawn", "Identity check of an issuer withdrawn"
    CREDENTIAL_DOWNLOADED = "credential_downloaded", "Credential downloaded"
    SHARE_LINK_CREATED = "share_link_created", "Share link created"
    SHARE_LINK_USED = "share_link_used", "Share link used"
    SHARE_LINK_WITHDRAWN = "share_link_withdrawn", "Share link withdrawn"
    NAME_VISIBILITY_CHANGED = "name_visibility_changed", "Visibility of a name changed"
    CREDENTIAL_ERASED = "credential_erased", "Credential erased"
    NAME_ERASED = "name_erased", "Name erased"
    KEEPSAKE_LINK_MAILED = "keepsake_link_mailed", "Link to certificates mailed"
    KEEPSAKE_LINK_REQUESTED = "keepsake_link_requested", "Link to certificates requested"
    KEEPSAKE_LINK_USED = "keepsake_link_used", "Link to certificates used"
    KEEPSAKE_LINK_WITHDRAWN = "keepsake_link_withdrawn", "Link to certificates withdrawn"
    CREDENTIAL_SIGNED_AGAIN = "credential_signed_again", "Credential signed again"
    AT_RISK_POLICY_CHANGED = "at_risk_policy_changed", "At-risk policy changed"
    AUDIT_PURGED = "audit_purged", "Audit purged"
    AUDIT_EXPORTED = "audit_exported", "Audit exported"
    AUDIT_KEY_CREATED = "audit_key_created", "Audit key created"
    AUDIT_KEY_ROTATED = "audit_key_rotated", "Audit key rotated"
    SECRETS_ENCRYPTED_ANEW = "secrets_encrypted_anew", "Secrets encrypted anew"


def event_types() -> list[tuple[str, str]]:
    """A function, so that a new type needs no migration."""
    return EventType.choices


class Kpi(models.TextChoices):
    BADGES_AWARDED = "badges_awarded"
    LEVELS_CHANGED = "levels_changed"
    CERTIFICATES_ISSUED = "certificates_issued"
    CERTIFICATES_DOWNLOADED = "certificates_downloaded"
    CERTIFICATES_REVOKED = "certificates_revoked"
    NOTIFICATIONS_MARKED_READ = "notifications_marked_read"


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def for_organization(self, organization_id: UUID) -> Self:
        return self.filter(organization_id=organization_id)

    def since(self, moment: datetime) -> Self:
        """By id, which is the time: only the partitions from then on are read."""
        return self.filter(id__gte=_first_id_of(moment))

    def before(self, moment: datetime) -> Self:
        return self.filter(id__lt=_first_id_of(moment))


def _first_id_of(moment: datetime) -> UUID:
    """The least UUIDv7 of the moment: what its ids begin with is the time in milliseconds."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


class AuditEvent(models.Model):
    """One thing that happened. The database refuses to change or delete it; expired weeks are dropped whole.

    Partitioned by week on the id, a UUIDv7 that begins with the milliseconds of `occurred_at`. No foreign keys:
    evidence outlives what it speaks of.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField(null=True, blank=True)
    type = models.CharField(max_length=40, choices=event_types)
    subject_kind = models.CharField(max_length=40, blank=True)
    subject_id = models.UUIDField(null=True, blank=True)
    actor_kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in ActorKind])
    actor_id = models.UUIDField(null=True, blank=True)
    actor_label = models.CharField(max_length=255, blank=True)
    request_id = models.CharField(max_length=128, blank=True)
    metadata = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    occurred_at = models.DateTimeField()

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        db_table = "audit_events"
        ordering = ["-id"]
        indexes = [
            # The admin's list of one organization, newest first.
            models.Index(fields=["organization_id", "id"], name="audit_events_by_organization"),
            # The admin's list of one type, newest first.
            models.Index(fields=["type", "id"], name="audit_events_by_type"),
            # The admin's list of one kind of actor, newest first; most are users, who are found at once without it.
            models.Index(
                fields=["actor_kind", "id"],
                condition=~Q(actor_kind=ActorKind.USER.value),
                name="audit_events_by_actor_kind",
            ),
            # The admin's search: what did she do?
            models.Index(fields=["actor_id", "id"], name="audit_events_by_actor"),
            # The admin's search: what happened to it?
            models.Index(fields=["subject_id", "id"], name="audit_events_by_subject"),
            # The admin's search: what came of this request?
            models.Index(fields=["request_id", "id"], name="audit_events_by_request"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class KpiDelta(models.Model):
    """What one transaction adds to a counter. Inserted only, so that no two transactions wait for each other."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kpi = models.CharField(max_length=40, choices=Kpi)
    organization_id = models.UUIDField(default=NO_ORGANIZATION)
    amount = models.BigIntegerField()

    class Meta:
        db_table = "kpi_deltas"

    def __str__(self) -> str:
        return f"{self.kpi} {self.amount:+d}"


class KpiTotal(models.Model):
    """The deltas that `audit.kpis.fold` has summed up. The counter itself is this and the deltas that remain."""

    pk = models.CompositePrimaryKey("organization_id", "kpi")
    organization_id = models.UUIDField(default=NO_ORGANIZATION)
    kpi = models.CharField(max_length=40, choices=Kpi)
    amount = models.BigIntegerField()

    class Meta:
        db_table = "kpi_totals"

    def __str__(self) -> str:
        return f"{self.kpi} {self.amount}"
