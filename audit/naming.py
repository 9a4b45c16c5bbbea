"""What events speak of, by name and address: a query for each kind on the page, whatever its length."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from django.apps import apps
from django.db.models.functions import Lower
from django.urls import reverse

from audit.models import AuditEvent
from cerply.console import change_url

# The models by the kinds of subjects. By name: the audit stands below those whose deeds it keeps.
MODELS = {
    "user": "accounts.User",
    "organization": "accounts.Organization",
    "team": "accounts.Team",
    "api_token": "accounts.ApiToken",
    "track": "tracks.Track",
    "badge": "gamification.Badge",
    "certificate": "certificates.Certificate",
    "signing_key": "certificates.SigningKey",
    "audit_key": "audit.AuditKey",
    "notification": "notifications.ManagerNotification",
}
NAMES = {"user": "name", "notification": "type"}

type Named = tuple[str, str]


class Names:
    """Names and addresses of all that these events speak of; what is gone since has none."""

    def __init__(self, events: Iterable[AuditEvent]) -> None:
        wanted: dict[str, set[UUID]] = defaultdict(set)
        for event in events:
            for kind, key in (
                (event.subject_kind, event.subject_id),
                ("user", event.actor_id),
                ("organization", event.organization_id),
            ):
                if key and kind in MODELS:
                    wanted[kind].add(key)
        self.found: dict[tuple[str, UUID], Named] = {}
        for kind, keys in wanted.items():
            for key, row in apps.get_model(MODELS[kind])._default_manager.in_bulk(keys).items():
                name = getattr(row, NAMES[kind]) if kind in NAMES else str(row)
                self.found[kind, key] = (name, change_url(row))

    def of(self, kind: str, key: UUID | None) -> Named | None:
        return self.found.get((kind, key)) if key else None


def people_with_address(email: str) -> list[UUID]:
    """Ids of those who bear it, in whatever organization."""
    people = apps.get_model("accounts", "User")._default_manager.alias(lower_email=Lower("email"))
    return list(people.filter(lower_email=email.lower()).values_list("id", flat=True))


def events_of(actor_id: UUID) -> str:
    """The address of all that she did."""
    return f"{reverse('admin:audit_auditevent_changelist')}?actor={actor_id}"
