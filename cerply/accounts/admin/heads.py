"""Mails with heads of the audit: who got which, and what could not be sent."""

from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from cerply.accounts.models import HeadMail
from cerply.console import ReadOnlyAdmin


@admin.register(HeadMail)
class HeadMailAdmin(ReadOnlyAdmin):
    list_display = ["day", "address", "head", "state", "tries", "error"]
    list_filter = [("state", ChoicesDropdownFilter)]
    search_fields = ["address"]
    search_help_text = "The whole address, or the organization's id."
    sortable_by = ()

    def find(self, queryset: QuerySet[HeadMail], term: str, key: UUID | None) -> QuerySet[HeadMail]:
        return queryset.filter(organization_id=key) if key else queryset.filter(address=term)
