"""What managers were told, for staff to look at."""

from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter

from cerply.accounts.models import User
from cerply.console import ReadOnlyAdmin, link, pretty
from notifications.models import ManagerNotification, NotificationPreference


@admin.register(ManagerNotification)
class ManagerNotificationAdmin(ReadOnlyAdmin):
    list_display = ["sent_at", "type", "to", "about", "organization", "read_at"]
    list_select_related = ["manager", "learner", "organization"]
    list_filter = [("manager", AutocompleteSelectFilter), ("type", ChoicesDropdownFilter)]
    sortable_by = ()
    ordering = ["-id"]
    search_fields = ["id"]
    search_help_text = "The whole id of a notification or of its manager, or the manager's e-mail address."
    fields = ["id", "type", "manager", "learner", "organization", "said", "cause_id", "sent_at", "read_at"]

    readonly_fields = ["said"]

    def find(
        self, queryset: QuerySet[ManagerNotification], term: str, key: UUID | None
    ) -> QuerySet[ManagerNotification]:
        """Exact matches alone: each of them is a look into an index."""
        if key:
            return queryset.filter(id=key) | queryset.filter(manager_id=key)
        return queryset.filter(manager__in=User.objects.with_address(term).values("id"))

    @admin.display(description="manager")
    def to(self, row: ManagerNotification) -> str:
        return link(row.manager, row.manager.name)

    @admin.display(description="learner")
    def about(self, row: ManagerNotification) -> str:
        return link(row.learner, row.learner.name)

    @admin.display(description="content")
    def said(self, row: ManagerNotification) -> str:
        return pretty(row.content)


@admin.register(NotificationPreference)
class NotificationPreferenceAdmin(ReadOnlyAdmin):
    list_display = ["user", "frequency", "timezone", "changed_at"]
    list_select_related = ["user"]
    search_fields = ["user__email"]
    search_help_text = "The manager's whole e-mail address or id."

    def find(
        self, queryset: QuerySet[NotificationPreference], term: str, key: UUID | None
    ) -> QuerySet[NotificationPreference]:
        return queryset.filter(user=key) if key else queryset.filter(user__in=User.objects.with_address(term))
