"""The audit, for those who look into it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, TextFilter

from audit.evidence_admin import AuditKeyAdmin, SegmentAdmin, VerificationAdmin
from audit.models import AuditEvent, AuditEventQuerySet
from audit.naming import Names, events_of, people_with_address
from cerply.console import ConsoleList, DayFilter, ReadOnlyAdmin, pretty
from cerply.identifiers import parse_uuid

__all__ = ["AuditEventAdmin", "AuditKeyAdmin", "SegmentAdmin", "VerificationAdmin"]

MOST_ORGANIZATIONS = 500


def organizations() -> QuerySet[Any]:
    """By name of the model: the audit stands below those whose deeds it keeps."""
    return apps.get_model("accounts", "Organization")._default_manager.all()


class OrganizationFilter(DropdownFilter):
    title = "organization"
    parameter_name = "organization"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = organizations().order_by("name").values_list("id", "name")
        return [(str(key), name) for key, name in rows[:MOST_ORGANIZATIONS]]

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: AuditEventQuerySet) -> AuditEventQuerySet:
        if not self.value():
            return queryset
        organization_id = parse_uuid(self.value())
        return queryset.for_organization(organization_id) if organization_id else queryset.none()


class EventDayFilter(DayFilter):
    """By id, so that only the weeks between the days are read."""

    def since(self, queryset: Any, moment: datetime) -> Any:
        return queryset.since(moment)

    def before(self, queryset: Any, moment: datetime) -> Any:
        return queryset.before(moment)


class ActorFilter(TextFilter):
    """What one actor did, given her e-mail address or id."""

    title = "actor (e-mail address or id)"
    parameter_name = "actor"

    def queryset(self, request: HttpRequest, queryset: AuditEventQuerySet) -> AuditEventQuerySet:
        text = (self.value() or "").strip()
        if not text:
            return queryset
        key = parse_uuid(text)
        return queryset.filter(actor_id__in=[key] if key else people_with_address(text))


class EventList(ConsoleList):
    """Names what the events of the page speak of."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        names = Names(self.result_list)
        for event in self.result_list:
            event.names = names


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["occurred_at", "type", "organization", "subject", "actor", "request_id"]
    list_filter = [
        OrganizationFilter,
        ("type", ChoicesDropdownFilter),
        ("actor_kind", ChoicesDropdownFilter),
        ActorFilter,
        ("occurred_at", EventDayFilter),
    ]
    sortable_by = ()
    search_fields = ["request_id"]
    search_help_text = (
        "The whole id of an event, of whom or what it is about, of who did it, or of the request; or an e-mail address."
    )
    fields = ["occurred_at", "id", "type", "organization", "subject", "actor", "request_id", "details"]
    readonly_fields = ["organization", "subject", "actor", "details"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ConsoleList]:
        return EventList

    def find(self, queryset: QuerySet[AuditEvent], term: str, key: UUID | None) -> QuerySet[AuditEvent]:
        """Exact matches alone: each of them is a look into an index."""
        found = Q(request_id=term)
        if key:
            found |= Q(id=key) | Q(subject_id=key) | Q(actor_id=key)
        elif "@" in term:
            people = people_with_address(term)
            found |= Q(subject_id__in=people) | Q(actor_id__in=people)
        return queryset.filter(found)

    def _named(self, event: AuditEvent, kind: str, key: UUID | None) -> str:
        """Its name and a link; its id, where it is gone."""
        names: Names = getattr(event, "names", None) or Names([event])
        if named := names.of(kind, key):
            return format_html('<a class="underline" href="{}">{}</a>', named[1], named[0])
        return str(key or "")

    @admin.display(description="organization")
    def organization(self, event: AuditEvent) -> str:
        return self._named(event, "organization", event.organization_id) or "-"

    @admin.display(description="subject")
    def subject(self, event: AuditEvent) -> str:
        if not event.subject_kind:
            return "-"
        named = self._named(event, event.subject_kind, event.subject_id)
        return format_html("{} {}", event.subject_kind.replace("_", " "), named)

    @admin.display(description="actor")
    def actor(self, event: AuditEvent) -> str:
        said = " ".join(part for part in (event.actor_kind, event.actor_label) if part)
        if event.actor_id is None:
            return said
        only_hers = format_html(
            '<a class="underline" href="{}" title="All that she did">{}</a>', events_of(event.actor_id), said
        )
        return format_html("{} ({})", self._named(event, "user", event.actor_id), only_hers)

    @admin.display(description="metadata")
    def details(self, event: AuditEvent) -> str:
        return pretty(event.metadata)
