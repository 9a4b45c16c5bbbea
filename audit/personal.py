"""Which fields of an event speak of people. The one place that says so.

Of each type of event it names the keys of the metadata that hold nothing personal beyond ids. Whatever else the
metadata hold is personal: it enters the leaf as a salted commitment, so that it can be erased and the leaf stays. A
key that is forgotten here is thus protected rather than exposed.

What stands beside the metadata is not personal: ids, which say nothing once the person behind them is erased, kinds,
roles, and names of jobs.
"""

from collections.abc import Mapping
from typing import Any

from audit.models import EventType

# On whatever was done with an API token.
EVERYWHERE = frozenset({"tokenId"})
ABOUT_A_CERTIFICATE = frozenset({"learnerId", "trackId"})

IMPERSONAL: Mapping[EventType, frozenset[str]] = {
    EventType.BADGE_AWARDED: frozenset({"badge", "ruleVersion", "learnerBadgeId"}),
    EventType.BADGE_CERTIFIED: frozenset({"badge", "learnerId", "learnerBadgeId"}),
    EventType.LEVEL_CHANGED: frozenset({"trackId", "previousLevel", "newLevel", "attemptId"}),
    EventType.COMPLETION_RECORDED: frozenset({"trackId", "completionId", "source"}),
    EventType.CERTIFICATE_ISSUED: ABOUT_A_CERTIFICATE | {"source", "keyId", "trackVersion", "replaces"},
    EventType.CERTIFICATE_DOWNLOADED: frozenset({"learnerId"}),
    EventType.CERTIFICATE_REVOKED: ABOUT_A_CERTIFICATE | {"code"},
    EventType.CERTIFICATE_SUSPENDED: ABOUT_A_CERTIFICATE,
    EventType.CERTIFICATE_REINSTATED: ABOUT_A_CERTIFICATE,
    EventType.CERTIFICATE_REPLACED: ABOUT_A_CERTIFICATE | {"replacedBy"},
    EventType.CERTIFICATE_ERASED: ABOUT_A_CERTIFICATE,
    EventType.NOTIFICATION_MARKED_READ: frozenset({"type", "learnerId"}),
    EventType.PREFERENCES_CHANGED: frozenset({"frequency", "types"}),
    EventType.NOTIFICATION_POLICY_CHANGED: frozenset({"changes"}),
    EventType.NOTIFICATIONS_PURGED: frozenset({"readBefore", "sentBefore", "notifications"}),
    EventType.AT_RISK_POLICY_CHANGED: frozenset({"changes"}),
    EventType.UNSUBSCRIBED: frozenset(),
    EventType.RESUBSCRIBED: frozenset(),
    EventType.ADDRESS_SUPPRESSED: frozenset({"why"}),
    EventType.ADDRESS_RELEASED: frozenset({"why"}),
    EventType.MAIL_REVIVED: frozenset(),
    EventType.WEBHOOK_CREATED: frozenset(),
    EventType.WEBHOOK_CHANGED: frozenset(),
    EventType.WEBHOOK_DELETED: frozenset(),
    EventType.WEBHOOK_DISABLED: frozenset({"reason"}),
    EventType.WEBHOOK_ENABLED: frozenset(),
    EventType.WEBHOOK_SECRET_ROTATED: frozenset({"atOnce"}),
    EventType.WEBHOOK_TESTED: frozenset({"deliveryId"}),
    EventType.WEBHOOK_REPLAYED: frozenset({"deliveryId", "since", "alsoTaken", "number"}),
    EventType.SIGNED_IN: frozenset(),
    EventType.SIGN_IN_FAILED: frozenset(),
    EventType.LOCKED_OUT: frozenset(),
    EventType.LOCKOUT_LIFTED: frozenset(),
    EventType.SECOND_FACTOR_SHOWN: frozenset({"recoveryCodesLeft"}),
    EventType.SECOND_FACTOR_FAILED: frozenset(),
    EventType.AUTHENTICATOR_ADDED: frozenset(),
    EventType.AUTHENTICATOR_REMOVED: frozenset(),
    EventType.SIGNED_OUT: frozenset(),
    EventType.PASSWORD_LINK_REQUESTED: frozenset(),
    EventType.PASSWORD_CHANGED: frozenset(),
    EventType.TOKEN_CREATED: frozenset({"userId", "expiresAt", "scopes"}),
    EventType.TOKEN_REVOKED: frozenset({"userId"}),
    EventType.ADMIN_TOKEN_USED: frozenset({"method"}),
    EventType.USER_CREATED: frozenset({"role"}),
    EventType.USER_UPDATED: frozenset(),
    EventType.ROLE_CHANGED: frozenset({"before", "after"}),
    EventType.USER_DEACTIVATED: frozenset(),
    EventType.USER_REACTIVATED: frozenset(),
    EventType.PEOPLE_IMPORTED: frozenset({"created", "updated", "teams"}),
    EventType.TEAM_CREATED: frozenset(),
    EventType.TEAM_UPDATED: frozenset(),
    EventType.TEAM_DELETED: frozenset({"people"}),
    EventType.TEAM_MEMBER_ADDED: frozenset({"userId", "role"}),
    EventType.TEAM_MEMBER_REMOVED: frozenset({"userId", "role"}),
    EventType.TRACK_CREATED: frozenset({"title", "externalId", "certifiesFrom"}),
    EventType.TRACK_UPDATED: frozenset({"changes"}),
    EventType.ITEMS_CHANGED: frozenset(
        {"created", "updated", "createdItems", "updatedItems", "itemId", "title", "changes", "deleted"}
    ),
    EventType.BADGE_CREATED: frozenset({"slug", "ruleVersion", "changes"}),
    EventType.BADGE_CHANGED: frozenset({"slug", "ruleVersion", "changes"}),
    EventType.ORGANIZATION_CREATED: frozenset({"name"}),
    EventType.ORGANIZATION_CHANGED: frozenset(),
    EventType.ORGANIZATION_CLOSED: frozenset(),
    EventType.ORGANIZATION_REOPENED: frozenset(),
    EventType.ORGANIZATION_DELETED: frozenset({"name"}),
    EventType.CERTIFICATE_DESIGN_CHANGED: frozenset({"number", "layout"}),
    EventType.FEATURE_SWITCHED: frozenset({"feature", "setting", "before", "after", "on", "decidedBy"}),
    EventType.ROLLOUT_CHANGED: frozenset({"feature", "before", "after", "candidates", "chosen"}),
    EventType.SIGNING_KEY_CREATED: frozenset({"publicKey"}),
    EventType.SIGNING_KEY_ROTATED: frozenset({"publicKey"}),
    EventType.SIGNING_KEY_COMPROMISED: frozenset(),
    EventType.IDENTITY_CHECKED: frozenset(),
    EventType.IDENTITY_CHECK_WITHDRAWN: frozenset(),
    EventType.CREDENTIAL_DOWNLOADED: frozenset({"learnerId"}),
    EventType.SHARE_LINK_CREATED: frozenset({"linkId"}),
    EventType.SHARE_LINK_USED: frozenset({"linkId"}),
    EventType.SHARE_LINK_WITHDRAWN: frozenset({"linkId"}),
    EventType.NAME_VISIBILITY_CHANGED: frozenset({"visible"}),
    EventType.CREDENTIAL_ERASED: frozenset({"learnerId"}),
    EventType.NAME_ERASED: frozenset({"changed"}),
    EventType.KEEPSAKE_LINK_MAILED: frozenset({"keepsakeId"}),
    EventType.KEEPSAKE_LINK_REQUESTED: frozenset({"keepsakeId"}),
    EventType.KEEPSAKE_LINK_USED: frozenset({"keepsakeId"}),
    EventType.KEEPSAKE_LINK_WITHDRAWN: frozenset({"keepsakeId"}),
    EventType.CREDENTIAL_SIGNED_AGAIN: frozenset({"keyId", "before"}),
    EventType.AUDIT_PURGED: frozenset({"week", "events", "retainDays"}),
    EventType.AUDIT_EXPORTED: frozenset({"what", "format", "filters"}),
    EventType.AUDIT_KEY_CREATED: frozenset({"publicKey"}),
    EventType.AUDIT_KEY_ROTATED: frozenset({"publicKey"}),
    EventType.SECRETS_ENCRYPTED_ANEW: frozenset({"secrets"}),
}


# By the text that a row has: an event may be of a type that nobody knows any more, and then all of it is personal.
_KNOWN = {type_.value: keys | EVERYWHERE for type_, keys in IMPERSONAL.items()}


def fields_of(metadata: Any) -> Mapping[str, Any]:
    """Whoever wrote something else than an object there stops nobody: it is one field, without a name."""
    return metadata if isinstance(metadata, Mapping) else {"": metadata}


def divided(type_: str, metadata: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metadata in two: what is not personal, and what is."""
    known, fields = _KNOWN.get(str(type_), EVERYWHERE), fields_of(metadata)
    rest = {key: value for key, value in fields.items() if key in known}
    return rest, {key: value for key, value in fields.items() if key not in known}
