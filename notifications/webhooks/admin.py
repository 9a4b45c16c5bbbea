"""Endpoints and what was sent to them, for staff: to look at, to enable, and to send once more."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldBooleanWidget

from cerply import clock
from cerply.console import (
    NothingForm,
    Question,
    ReadOnlyAdmin,
    actor_of,
    ask,
    change_url,
    link,
    links,
    list_link,
)
from notifications.models import EndpointState, WebhookDelivery, WebhookEndpoint, WebhookNotice
from notifications.webhooks import endpoints
from ops.outbox import OutboxState

SAME_ID = "Under the same webhook-id: a receiver that has it already passes over it."


class SinceForm(forms.Form):
    since = forms.SplitDateTimeField(widget=UnfoldAdminSplitDateTimeWidget, help_text="In UTC.")
    also_taken = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget,
        label="Also what was taken",
        help_text="For a receiver that has lost it.",
    )


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    list_display = ["origin", "organization", "state", "disabled_reason", "failing_since", "created_at"]
    list_select_related = ["organization"]
    list_filter = [("organization", AutocompleteSelectFilter), ("state", ChoicesDropdownFilter)]
    sortable_by = ()
    ordering = ["-id"]
    search_fields = ["id"]
    search_help_text = "The whole id of a webhook or of its organization."
    fields = [
        "id",
        "organization",
        "url",
        "event_types",
        "state",
        "disabled_at",
        "disabled_reason",
        "failing_since",
        "failures",
        "held_until",
        "former_until",
        "created_at",
        "see_also",
    ]
    readonly_fields = ["see_also"]
    actions_detail = ["enable_endpoint", "replay_endpoint", "trail"]

    def find(self, queryset: QuerySet[WebhookEndpoint], term: str, key: UUID | None) -> QuerySet[WebhookEndpoint]:
        return queryset.filter(id=key) | queryset.filter(organization_id=key) if key else queryset.none()

    def unfit_actions(self, row: WebhookEndpoint) -> Collection[str]:
        if row.is_active:
            return {"enable"}
        return {"replay"} if row.state == EndpointState.DISABLED else {"enable", "replay"}

    @admin.display(description="see also")
    def see_also(self, row: WebhookEndpoint) -> str:
        return links(list_link(WebhookDelivery, "deliveries", endpoint__id__exact=row.id))

    @action(description="Enable", url_path="enable")
    def enable_endpoint(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = get_object_or_404(WebhookEndpoint, pk=object_id)

        def do(values: dict[str, Any]) -> str:
            enabled = endpoints.enable_by_id(endpoint.id, actor=actor_of(request.user))
            return "The webhook is enabled." if enabled else ""

        says = ["What comes up from now on is sent there. What was dropped meanwhile is not, until it is replayed."]
        question = Question(f"Enable the webhook at {endpoint}?", "Enable", says=says, form=NothingForm)
        return ask(request, self, question, do, change_url(endpoint))

    @action(description="Send again since …", url_path="replay")
    def replay_endpoint(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint = get_object_or_404(WebhookEndpoint, pk=object_id)

        def do(values: dict[str, Any]) -> str:
            since, also_taken = values["since"], values["also_taken"]
            number = endpoints.replay_since(endpoint.id, since, also_taken=also_taken, actor=actor_of(request.user))
            return f"Sent again: {number}." if number else ""

        question = Question(
            f"Send again what {endpoint} has missed?",
            "Send again",
            says=["What came up since then and was given up or dropped is sent once more.", SAME_ID],
            form=SinceForm,
            initial={"since": endpoint.disabled_at or clock.now() - timedelta(days=1)},
        )
        return ask(request, self, question, do, change_url(endpoint))


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "event", "to", "state", "tries", "status_code", "error"]
    list_select_related = ["endpoint"]
    list_filter = [
        ("organization", AutocompleteSelectFilter),
        ("endpoint", AutocompleteSelectFilter),
        ("state", ChoicesDropdownFilter),
    ]
    sortable_by = ()
    ordering = ["-id"]
    search_fields = ["id"]
    search_help_text = "The whole id of a delivery (the webhook-id), of its learner or of its webhook."
    fields = [
        "id",
        "event",
        "endpoint",
        "organization",
        "learner",
        "state",
        "tries",
        "status_code",
        "error",
        "body",
        "created_at",
        "due_at",
        "finished_at",
    ]
    actions_detail = ["replay_delivery", "trail"]

    def find(self, queryset: QuerySet[WebhookDelivery], term: str, key: UUID | None) -> QuerySet[WebhookDelivery]:
        if key is None:
            return queryset.none()
        return queryset.filter(id=key) | queryset.filter(learner_id=key) | queryset.filter(endpoint_id=key)

    def unfit_actions(self, row: WebhookDelivery) -> Collection[str]:
        return {"replay"} if row.state == OutboxState.DUE else ()

    @admin.display(description="to")
    def to(self, row: WebhookDelivery) -> str:
        return link(row.endpoint)

    @action(description="Send again", url_path="replay")
    def replay_delivery(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(WebhookDelivery.objects.select_related("endpoint"), pk=object_id)

        def do(values: dict[str, Any]) -> str:
            endpoints.replay(row.id, actor=actor_of(request.user))
            return "It is being sent again."

        title = f"Send this again to {row.endpoint}?"
        question = Question(title, "Send again", says=[SAME_ID], form=NothingForm)
        return ask(request, self, question, do, change_url(row))


@admin.register(WebhookNotice)
class WebhookNoticeAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "admin", "about", "reason", "state", "tries", "error"]
    list_select_related = ["admin", "endpoint"]
    sortable_by = ()
    ordering = ["-id"]
    search_fields = ["id"]
    search_help_text = "The whole id of a notice or of its webhook."
    fields = ["id", "admin", "endpoint", "reason", "state", "tries", "error", "created_at", "due_at", "finished_at"]

    def find(self, queryset: QuerySet[WebhookNotice], term: str, key: UUID | None) -> QuerySet[WebhookNotice]:
        return queryset.filter(id=key) | queryset.filter(endpoint_id=key) if key else queryset.none()

    @admin.display(description="webhook")
    def about(self, row: WebhookNotice) -> str:
        return link(row.endpoint)
