"""API tokens: made and revoked; a secret is shown once."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from cerply import clock
from cerply.accounts import tokens
from cerply.accounts.models import ApiToken, User
from cerply.console import ConsoleAdmin, NothingForm, Question, actor_of, ask, change_url
from cerply.errors import Invalid
from cerply.permissions import Scope

LONGEST_VALIDITY = timedelta(days=365)


class TokenForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=Scope,
        initial=list(Scope),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What it may be used for.",
    )

    class Meta:
        model = ApiToken
        fields = ("user", "name", "scopes", "expires_at")

    def clean_user(self) -> Any:
        user = self.cleaned_data["user"]
        if not user.is_active:
            raise forms.ValidationError(tokens.INACTIVE)
        return user

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if not clock.now() < expires_at <= clock.now() + LONGEST_VALIDITY:
            raise forms.ValidationError("Give a moment ahead, by a year at most.")
        return expires_at


@admin.register(ApiToken)
class ApiTokenAdmin(ConsoleAdmin):
    form = TokenForm
    list_display = ["name", "user", "organization", "state", "created_at", "expires_at", "last_used_at"]
    list_select_related = ["user", "organization"]
    list_filter = [("organization", AutocompleteSelectFilter), ("user", AutocompleteSelectFilter)]
    search_fields = ["user__email"]
    search_help_text = "The whole e-mail address of whom it acts for, her id, or the token's."
    sortable_by = ()
    ordering = ["-id"]
    autocomplete_fields = ["user"]
    actions_detail = ["revoke_token", "trail"]

    def find(self, queryset: QuerySet[ApiToken], term: str, key: UUID | None) -> QuerySet[ApiToken]:
        if key:
            return queryset.filter(id=key) | queryset.filter(user_id=key)
        return queryset.filter(user__in=User.objects.with_address(term).values("id"))

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> list[str]:
        if obj is None:
            return ["user", "name", "scopes", "expires_at"]
        return [
            "id",
            "name",
            "user",
            "organization",
            "scopes",
            "state",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> list[str]:
        return self.get_fields(request, obj) if obj else []

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"expires_at": clock.now() + tokens.DEFAULT_VALIDITY}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def unfit_actions(self, row: ApiToken) -> Collection[str]:
        return {"revoke"} if row.revoked_at else ()

    @admin.display(description="state")
    def state(self, token: ApiToken) -> str:
        if token.revoked_at:
            return "revoked"
        return "expired" if token.expires_at <= clock.now() else "usable"

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        values = form.cleaned_data
        if values["user"].is_staff and not getattr(request.user, "is_superuser", False):
            raise Invalid({"user": ["Superusers alone make tokens for staff."]})
        made, secret = tokens.create(
            values["user"],
            values["name"],
            expires_at=values["expires_at"],
            scopes=map(Scope, values["scopes"]),
            actor=actor_of(request.user),
        )
        obj.id, obj._state.adding = made.id, False
        self.message_user(request, f"The token, shown this once: {secret}", "warning")

    @action(description="Revoke", url_path="revoke")
    def revoke_token(self, request: HttpRequest, object_id: str) -> HttpResponse:
        token = get_object_or_404(ApiToken.objects.select_related("user"), pk=object_id)
        question = Question(
            title=f"Revoke “{token.name}”?",
            button="Revoke",
            says=[f"From then on it is refused. It acts for {token.user}."],
            form=NothingForm,
        )

        def do(values: dict[str, Any]) -> str:
            tokens.revoke(token, actor=actor_of(request.user))
            return "The token is revoked."

        return ask(request, self, question, do, change_url(token))
