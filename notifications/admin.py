"""What managers were told, for staff to look at."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter

from cerply.accounts.models import User
from cerply.console import ReadOnlyAdmin, link, pretty
from notifications import mail_admin as _mail_admin  # noqa: F401 - registers itself
from notifications import representation
from notifications.models import ManagerNotification
from notifications.webhooks import admin as _webhooks  # noqa: F401 - registers itself


@admin.register(ManagerNotification)
class ManagerNotificationAdmin(ReadOnlyAdmin):
    list_display = ["sent_at", "type", "to", "about", "organization", "read_at", "by_mail"]
    list_select_related = ["manager", "learner", "organization", "delivery"]
    list_filter = [("manager", AutocompleteSelectFilter), ("type", ChoicesDropdownFilter)]
    sortable_by = ()
    ordering = ["-id"]
    search_fields = ["id"]
    search_help_text = "The whole id of a notification or of its manager, or the manager's e-mail address."
    fields = ["id", "type", "manager", "learner", "organization", "said", "cause_id", "sent_at", "read_at", "why"]
    readonly_fields = ["said", "why"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Also those in one e-mail, to which its page leads."""
        return lookup == "delivery__mail__id__exact" or super().lookup_allowed(lookup, value, request)

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

    @admin.display(description="e-mail")
    def by_mail(self, row: ManagerNotification) -> str:
        return str(delivery_of(row)["state"]).replace("_", " ")

    @admin.display(description="e-mail")
    def why(self, row: ManagerNotification) -> str:
        """As the manager is told, and the e-mail itself."""
        delivery = delivery_of(row)
        said = " – ".join(str(part) for part in (delivery["state"], delivery["sentAt"] or delivery["dueAt"]) if part)
        mail = row.delivery.mail if hasattr(row, "delivery") else None
        parts = [said.replace("_", " "), delivery["explanation"], link(mail, "the e-mail") if mail else ""]
        return format_html_join(" · ", "{}", ((part,) for part in parts if part))


def delivery_of(row: ManagerNotification) -> dict[str, Any]:
    return representation.delivery(getattr(row, "delivery", None))
