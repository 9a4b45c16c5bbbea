"""People: members of organizations, and staff."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django import forms
from django.apps import apps
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.contrib.filters.admin import AutocompleteSelectFilter, BooleanRadioFilter, ChoicesDropdownFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget

from cerply.accounts import passwords, people, second_factor
from cerply.accounts.models import ApiToken, Membership, Organization, Team, User
from cerply.accounts.serializers import LOCALE
from cerply.console import ConsoleAdmin, NothingForm, Question, actor_of, ask, change_url, links, list_link
from cerply.errors import Forbidden, Invalid
from cerply.identifiers import parse_uuid

WIRE_NAMES = {attribute: name for name, attribute in people.FIELDS.items()}


class UserForm(forms.ModelForm):
    """What the API would take."""

    class Meta:
        model = User
        fields = ("name", "email", "external_id", "role", "is_active", "locale", "timezone")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "role" in self.fields and self.instance.organization_id:
            self.fields["role"].required = True

    def clean_external_id(self) -> str | None:
        return self.cleaned_data["external_id"] or None

    def clean_locale(self) -> str:
        locale: str = self.cleaned_data["locale"]
        if not LOCALE.fullmatch(locale):
            raise ValidationError("Give a language tag, like en or pt-BR.")
        return locale


class NewUserForm(UserForm):
    organization = forms.ModelChoiceField(
        Organization.objects.open(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Empty for platform staff, whom superusers appoint.",
    )
    password = forms.CharField(
        required=False, widget=UnfoldAdminPasswordWidget, help_text="Left empty, she sets one by a link."
    )

    class Meta:
        model = User
        fields = ("organization", "name", "email", "external_id", "role", "locale", "timezone")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("organization") and not values.get("role"):
            self.add_error("role", "A member of an organization has a role.")
        if not values.get("organization") and values.get("role"):
            self.add_error("role", "Staff have no role. Choose the organization, or leave the role out.")
        # Otherwise the model would be checked as a member without an organization.
        self.instance.is_staff = not values.get("organization")
        return values


@admin.register(User)
class UserAdmin(ConsoleAdmin):
    list_display = ["name", "email", "organization", "role", "is_active", "is_staff"]
    list_select_related = ["organization"]
    list_filter = [
        ("organization", AutocompleteSelectFilter),
        ("role", ChoicesDropdownFilter),
        ("is_active", BooleanRadioFilter),
        ("is_staff", BooleanRadioFilter),
    ]
    search_fields = ["name"]
    search_help_text = "How words of the name, the e-mail address or the external id begin; or the whole id."
    sortable_by = ()
    ordering = ["-id"]
    wire_names = people.FIELDS
    actions_detail = ["password_link", "reset_authenticator", "trail"]

    def find(self, queryset: Any, term: str, key: UUID | None) -> Any:
        return queryset.filter(id=key) if key else queryset.found_by(term)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """The pickers of a team's page name the team: they offer whom it may take, or those whom it has."""
        if request.path == reverse("admin:autocomplete") and (team_id := parse_uuid(request.GET.get("team", ""))):
            if "present" in request.GET:
                queryset = queryset.filter(id__in=Membership.objects.filter(team_id=team_id).values("user_id"))
            else:
                queryset = queryset.filter(
                    organization_id__in=Team.objects.filter(id=team_id).values("organization_id")
                )
        return super().get_search_results(request, queryset, search_term)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = UserForm if obj else NewUserForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        if obj is None:
            return [*NewUserForm.Meta.fields, "password"]
        return ["id", "organization", *UserForm.Meta.fields, "last_login", "created_at", "see_also"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        if obj is None:
            return []
        fixed = ["id", "organization", "last_login", "created_at", "see_also"]
        return [*fixed, "role", "external_id"] if obj.organization_id is None else fixed

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_staff = isinstance(obj, User) and obj.organization_id is None
        return bool(getattr(request.user, "is_superuser", False)) or not is_staff

    @admin.display(description="see also")
    def see_also(self, user: User) -> str:
        to = [list_link(ApiToken, "API tokens", user__id__exact=user.id)]
        if user.organization_id:
            to += [
                list_link(Membership, "teams", user__id__exact=user.id),
                list_link(apps.get_model("certificates", "Certificate"), "certificates", q=user.id),
                list_link(apps.get_model("gamification", "LearnerBadge"), "badges", learner__id__exact=user.id),
                list_link(apps.get_model("gamification", "Completion"), "completions", learner__id__exact=user.id),
                list_link(apps.get_model("gamification", "Attempt"), "attempts", learner__id__exact=user.id),
            ]
        return links(*to)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        actor = actor_of(request.user)
        values = form.cleaned_data
        if change:
            changes = {WIRE_NAMES[name]: values[name] for name in form.changed_data if name in WIRE_NAMES}
            if obj.organization_id is None:
                people.change_staff(obj.id, changes, actor=actor)
            else:
                people.change_person(obj.id, changes, actor=actor)
            return
        if values["organization"] is None:
            if not getattr(request.user, "is_superuser", False):
                raise Invalid({"organization": ["Superusers alone appoint staff. Choose the organization."]})
            people.create_staff(obj, values["password"], actor=actor)
            return
        row = {WIRE_NAMES[name]: values[name] for name in WIRE_NAMES if values.get(name) is not None}
        if values["password"]:
            row["password"] = values["password"]
        try:
            saved = people.save_people(values["organization"].id, [row], actor=actor)
        except people.BadRows as exc:
            raise Invalid(exc.problems[0]) from exc
        obj.id, obj._state.adding = saved.people[0].id, False

    def unfit_actions(self, row: User) -> Collection[str]:
        return () if row.is_staff and second_factor.has_authenticator(row) else {"reset-authenticator"}

    @action(description="Take the authenticator away", url_path="reset-authenticator")
    def reset_authenticator(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = get_object_or_404(User, pk=object_id, organization=None)
        question = Question(
            title=f"Take the authenticator of {user.name} away?",
            button="Take it away",
            says=[
                "Her sessions end.",
                "Who has her password sets up another one. Be sure that it is she who asks.",
            ],
            form=NothingForm,
        )

        def do(values: dict[str, Any]) -> str:
            if not getattr(request.user, "is_superuser", False):
                raise Forbidden("Superusers alone take the authenticator of somebody away.")
            second_factor.take_away(user, actor=actor_of(request.user))
            return f"{user.name} sets up another authenticator at the next sign-in."

        return ask(request, self, question, do, change_url(user))

    @action(description="Password link", url_path="password-link")
    def password_link(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = get_object_or_404(User.objects.select_related("organization"), pk=object_id)
        question = Question(
            title=f"Mail {user.name} a link to set a password?",
            button="Mail it",
            says=[f"It goes to {user.email}, and is good for a day."],
            form=NothingForm,
        )

        def do(values: dict[str, Any]) -> str:
            passwords.send_link(user, actor=actor_of(request.user))
            return f"A link is on its way to {user.email}."

        return ask(request, self, question, do, change_url(user))
