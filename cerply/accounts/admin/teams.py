"""Teams with their people."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminSelectWidget

from cerply.accounts import teams
from cerply.accounts.models import Membership, Organization, Team, TeamRole, User
from cerply.console import ConsoleAdmin, actor_of
from cerply.errors import Invalid


def people_widget() -> AutocompleteSelectMultiple:
    """Searches, and does not list everybody."""
    return AutocompleteSelectMultiple(Membership._meta.get_field("user"), admin.site)


class TeamForm(forms.ModelForm):
    managers = forms.ModelMultipleChoiceField(User.objects.none(), required=False, widget=people_widget())
    members = forms.ModelMultipleChoiceField(User.objects.none(), required=False, widget=people_widget())

    class Meta:
        model = Team
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            return
        people = User.objects.for_organization(self.instance.organization_id)
        for name, role, choices in (
            ("managers", TeamRole.MANAGER, people.filter(role__in=teams.MAY_MANAGE)),
            ("members", TeamRole.MEMBER, people),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ModelMultipleChoiceField)  # noqa: S101 - declared above
            field.queryset = choices
            present = Membership.objects.filter(team=self.instance, role=role)
            self.initial[name] = list(present.values_list("user_id", flat=True))

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        organization_id = self.instance.organization_id or getattr(self.cleaned_data.get("organization"), "id", None)
        twins = Team.objects.filter(organization_id=organization_id, name__iexact=name) if organization_id else None
        if twins is not None and twins.exclude(id=self.instance.id).exists():
            raise forms.ValidationError(teams.NAME_TAKEN)
        return name


class NewTeamForm(TeamForm):
    """Its people come when it is there."""

    organization = forms.ModelChoiceField(Organization.objects.open(), widget=UnfoldAdminSelectWidget)
    managers = None  # type: ignore[assignment]
    members = None  # type: ignore[assignment]
    field_order = ("organization", "name")


@admin.register(Team)
class TeamAdmin(ConsoleAdmin):
    list_display = ["name", "organization", "created_at"]
    list_select_related = ["organization"]
    list_filter = [("organization", AutocompleteSelectFilter)]
    search_fields = ["name__startswith"]
    sortable_by = ()
    ordering = ["-id"]

    def get_form(self, request: HttpRequest, obj: Team | None = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = TeamForm if obj else NewTeamForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Team | None = None) -> list[str]:
        return ["organization", "name", "managers", "members"] if obj else ["organization", "name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Team | None = None) -> list[str]:
        return ["organization"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def save_model(self, request: HttpRequest, obj: Team, form: Any, change: bool) -> None:
        actor, values = actor_of(request.user), form.cleaned_data
        if not change:
            made = teams.create_team(values["organization"].id, {"name": values["name"]}, actor=actor)
            obj.id, obj._state.adding = made.id, False
            obj.organization = made.organization
            return
        try:
            teams.change_team(
                obj.id,
                {
                    "name": values["name"],
                    "managerIds": [user.id for user in values["managers"]],
                    "memberIds": [user.id for user in values["members"]],
                },
                actor=actor,
            )
        except Invalid as exc:
            self.message_user(request, f"{exc.text} {exc.details}", "error")

    def delete_model(self, request: HttpRequest, obj: Team) -> None:
        teams.delete_team(obj.id, actor=actor_of(request.user))
