"""Who has failed to sign in lately, and who is locked out for it."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from unfold.decorators import action

from cerply import clock
from cerply.accounts import lockout
from cerply.accounts.models import FailedSignIn
from cerply.console import NothingForm, Question, ReadOnlyAdmin, actor_of, ask, list_link


@admin.register(FailedSignIn)
class FailedSignInAdmin(ReadOnlyAdmin):
    list_display = ["username", "ip_address", "failures_since_start", "attempt_time", "state"]
    search_fields = ["username"]
    search_help_text = "The whole e-mail address."
    sortable_by = ()
    ordering = ["-attempt_time"]
    fields = ["username", "ip_address", "user_agent", "failures_since_start", "attempt_time", "state"]
    readonly_fields = fields
    actions_detail = ["lift"]

    def find(self, queryset: QuerySet[FailedSignIn], term: str, key: UUID | None) -> QuerySet[FailedSignIn]:
        return queryset.filter(username=term.lower())

    @admin.display(description="state")
    def state(self, row: FailedSignIn) -> str:
        ends = lockout.ends_at(row.attempt_time)
        if row.failures_since_start < settings.AXES_FAILURE_LIMIT or ends <= clock.now():
            return "may try again"
        return f"locked out until {ends:%H:%M:%S} UTC"

    @action(description="Let her try again", url_path="lift")
    def lift(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(FailedSignIn, pk=object_id)
        question = Question(
            title=f"Let {row.username} try again?",
            button="Let her try",
            says=[f"Her failures from {row.ip_address} are forgotten."],
            form=NothingForm,
        )

        def do(values: dict[str, Any]) -> str:
            lockout.lift(row, actor=actor_of(request.user))
            return f"{row.username} may try again."

        return ask(request, self, question, do, list_link(FailedSignIn, "")[1])
