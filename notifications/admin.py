"""What managers were told, for staff to look at."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter

from cerply.console import ReadOnlyAdmin
from cerply.identifiers import parse_uuid
from notifications.models import ManagerNotification, NotificationPreference


@admin.register(ManagerNotification)
class ManagerNotificationAdmin(ReadOnlyAdmin):
    list_display = ["sent_at", "type", "manager", "learner", "organization", "read_at"]
    list_select_related = ["manager", "learner", "organization"]
    list_filter = [("manager", AutocompleteSelectFilter), ("type", ChoicesDropdownFilter)]
    sortable_by = ()
    ordering = ["-id"]
    search_fields = ["id"]
    search_help_text = "The whole id of a notification or of its manager."
    fields = ["id", "type", "manager", "learner", "organization", "content", "cause_id", "sent_at", "read_at"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ManagerNotification], search_term: str
    ) -> tuple[QuerySet[ManagerNotification], bool]:
        """Exact matches alone: each of them is a look into an index."""
        if not search_term.strip():
            return queryset, False
        key = parse_uuid(search_term.strip())
        return (queryset.filter(id=key) | queryset.filter(manager_id=key)) if key else queryset.none(), False


@admin.register(NotificationPreference)
class NotificationPreferenceAdmin(ReadOnlyAdmin):
    list_display = ["user", "frequency", "timezone", "changed_at"]
    list_select_related = ["user"]
    search_fields = ["user__email"]
