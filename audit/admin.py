"""The audit, for those who look into it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.dateparse import parse_date
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RangeDateFilter

from audit.models import AuditEvent, AuditEventQuerySet
from cerply.console import ReadOnlyAdmin
from cerply.identifiers import parse_uuid

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


class DayFilter(RangeDateFilter):
    """From one day to another, both included; by id, so that only the weeks between them are read."""

    def queryset(self, request: HttpRequest, queryset: AuditEventQuerySet) -> AuditEventQuerySet:
        start, end = self._day("from"), self._day("to")
        if start:
            queryset = queryset.since(start)
        if end:
            queryset = queryset.before(end + timedelta(days=1))
        return queryset

    def _day(self, which: str) -> datetime | None:
        try:
            day = parse_date(self.used_parameters.get(f"{self.parameter_name}_{which}") or "")
        except ValueError:
            return None
        if day is None or not 1970 <= day.year <= 9000:
            return None
        return datetime(day.year, day.month, day.day, tzinfo=UTC)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["occurred_at", "type", "organization", "subject", "actor", "request_id"]
    list_filter = [
        OrganizationFilter,
        ("type", ChoicesDropdownFilter),
        ("actor_kind", ChoicesDropdownFilter),
        ("occurred_at", DayFilter),
    ]
    list_filter_submit = True
    sortable_by = ()
    search_fields = ["request_id"]
    search_help_text = "The whole id of an event, of whom or what it is about, of who did it, or of the request."
    fields = ["occurred_at", "id", "type", "organization", "subject", "actor", "request_id", "details"]
    readonly_fields = ["organization", "subject", "actor", "details"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        name = organizations().filter(id=OuterRef("organization_id")).values("name")
        return super().get_queryset(request).annotate(organization_name=Subquery(name))  # type: ignore[no-any-return]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent], search_term: str
    ) -> tuple[QuerySet[AuditEvent], bool]:
        """Exact matches alone: each of them is a look into an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(request_id=term)
        if (key := parse_uuid(term)) is not None:
            found |= Q(id=key) | Q(subject_id=key) | Q(actor_id=key)
        return queryset.filter(found), False

    @admin.display(description="organization")
    def organization(self, event: AuditEvent) -> str:
        name: str | None = getattr(event, "organization_name", None)
        return name or str(event.organization_id or "-")

    @admin.display(description="subject")
    def subject(self, event: AuditEvent) -> str:
        return f"{event.subject_kind} {event.subject_id or ''}".strip() or "-"

    @admin.display(description="actor")
    def actor(self, event: AuditEvent) -> str:
        return " ".join(str(part) for part in (event.actor_kind, event.actor_label, event.actor_id) if part)

    @admin.display(description="metadata")
    def details(self, event: AuditEvent) -> str:
        return format_html("<pre>{}</pre>", json.dumps(event.metadata, indent=2, ensure_ascii=False))
