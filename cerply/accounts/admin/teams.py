"""Teams, and who is in them: added and removed by name, for a team may have more people than a form takes."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from cerply.accounts import teams
from cerply.accounts.models import Membership, Organization, Team, TeamRole, User
from cerply.console import (
    ConsoleAdmin,
    Question,
    ReadOnlyAdmin,
    actor_of,
    ask,
    change_url,
    in_lower,
    link,
    links,
    list_link,
)

MOST_SHOWN = 50


class PeoplePicker(AutocompleteSelectMultiple):
    """Searches among the people of the team's organization, or of the team; and does not list everybody."""

    def __init__(self, team: Team, *, present: bool) -> None:
        self.parameters = {"team": str(team.id)} | ({"present": "yes"} if present else {})
        super().__init__(Membership._meta.get_field("user"), admin.site, attrs={"style": "width: 100%"})

    def get_url(self) -> str:
        return f"{super().get_url()}?{urlencode(self.parameters)}"


def people_form(team: Team, *, present: bool) -> type[forms.Form]:
    """For people of the team's organization alone, whatever is sent."""
    colleagues = User.objects.for_organization(team.organization_id)

    class PeopleForm(forms.Form):
        people = forms.ModelMultipleChoiceField(colleagues, widget=PeoplePicker(team, present=present))
        role = forms.ChoiceField(choices=TeamRole, widget=UnfoldAdminSelectWidget, label="as")

    return PeopleForm


class TeamForm(forms.ModelForm):
    class Meta:
        model = Team
        fields = ("name",)


class NewTeamForm(forms.ModelForm):
    """Its people come when it is there."""

    organization = forms.ModelChoiceField(Organization.objects.open(), widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Team
        fields = ("organization", "name")


@admin.register(Team)
class TeamAdmin(ConsoleAdmin):
    list_display = ["name", "organization", "created_at"]
    list_select_related = ["organization"]
    list_filter = [("organization", AutocompleteSelectFilter)]
    search_fields = ["name"]
    search_help_text = "How the name begins, or the whole id."
    sortable_by = ()
    ordering = ["-id"]
    actions_detail = ["add_people", "remove_people", "trail"]

    def find(self, queryset: QuerySet[Team], term: str, key: UUID | None) -> QuerySet[Team]:
        if key:
            return queryset.filter(id=key)
        return queryset.alias(lower_name=in_lower("name")).filter(lower_name__startswith=term.lower())

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = TeamForm if obj else NewTeamForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Team | None = None) -> list[str]:
        return ["organization", "name", "managers", "members", "created_at"] if obj else ["organization", "name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Team | None = None) -> list[str]:
        return ["organization", "managers", "members", "created_at"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list[str], dict[str, int], set[str], list]:
        """How many memberships go with it, and not each of them."""
        number = Membership.objects.filter(team__in=objs).count()
        return [str(team) for team in objs], {"teams": len(objs), "memberships": number}, set(), []

    @admin.display(description="managers")
    def managers(self, team: Team) -> str:
        return self._people(team, TeamRole.MANAGER)

    @admin.display(description="members")
    def members(self, team: Team) -> str:
        return self._people(team, TeamRole.MEMBER)

    def _people(self, team: Team, role: TeamRole) -> str:
        rows = team.memberships.filter(role=role)
        number = rows.count()
        if not number:
            return "nobody"
        shown = rows.select_related("user").order_by("user_id")[:MOST_SHOWN]
        names = format_html_join(", ", "{}", ((link(row.user, row.user.name),) for row in shown))
        all_of_them = list_link(Membership, f"all {number:,}", team__id__exact=team.id, role__exact=role)
        return format_html("{}{} ({})", names, "" if number <= MOST_SHOWN else ", …", links(all_of_them))

    def save_model(self, request: HttpRequest, obj: Team, form: Any, change: bool) -> None:
        actor, values = actor_of(request.user), form.cleaned_data
        if change:
            teams.change_team(obj.id, {name: values[name] for name in form.changed_data}, actor=actor)
            return
        made = teams.create_team(values["organization"].id, {"name": values["name"]}, actor=actor)
        obj.id, obj._state.adding = made.id, False

    def delete_model(self, request: HttpRequest, obj: Team) -> None:
        teams.delete_team(obj.id, actor=actor_of(request.user))

    @action(description="Add people", url_path="add-people")
    def add_people(self, request: HttpRequest, object_id: str) -> HttpResponse:
        team = get_object_or_404(Team.objects.select_related("organization"), pk=object_id)
        question = Question(
            title=f"Add people to {team}",
            button="Add",
            says=[f"Of {team.organization}. Managers and admins alone manage a team."],
            form=people_form(team, present=False),
        )

        def do(values: dict[str, Any]) -> str:
            ids, role = [user.id for user in values["people"]], TeamRole(values["role"])
            number = teams.add_people(team.id, ids, role, actor=actor_of(request.user))
            return f"Added to {team} as {role.label.lower()}: {number}." if number else ""

        return ask(request, self, question, do, change_url(team))

    @action(description="Remove people", url_path="remove-people")
    def remove_people(self, request: HttpRequest, object_id: str) -> HttpResponse:
        team = get_object_or_404(Team, pk=object_id)
        question = Question(
            title=f"Remove people from {team}",
            button="Remove",
            says=["They stay in the organization, with all that they did."],
            form=people_form(team, present=True),
        )

        def do(values: dict[str, Any]) -> str:
            ids, role = [user.id for user in values["people"]], TeamRole(values["role"])
            number = teams.remove_people(team.id, ids, role, actor=actor_of(request.user))
            return f"Removed from {team} as {role.label.lower()}: {number}." if number else ""

        return ask(request, self, question, do, change_url(team))


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    """Who is in which team; one comes in on the team's page."""

    list_display = ["user", "role", "team", "organization"]
    list_select_related = ["user", "team__organization"]
    list_filter = [
        ("team", AutocompleteSelectFilter),
        ("user", AutocompleteSelectFilter),
        ("role", ChoicesDropdownFilter),
    ]
    sortable_by = ()
    ordering = ["-id"]
    search_fields = ["user__email"]
    search_help_text = "Somebody's whole e-mail address or id."
    fields = ["user", "role", "team", "organization"]
    readonly_fields = ["organization"]

    def find(self, queryset: QuerySet[Membership], term: str, key: UUID | None) -> QuerySet[Membership]:
        if key:
            return queryset.filter(user_id=key)
        return queryset.filter(user__in=User.objects.with_address(term).values("id"))

    @admin.display(description="organization")
    def organization(self, membership: Membership) -> str:
        return str(membership.team.organization)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        teams.remove_people(obj.team_id, [obj.user_id], TeamRole(obj.role), actor=actor_of(request.user))
