"""Teams, their managers and members."""

from uuid import UUID

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply.accounts import representation, serializers, teams
from cerply.accounts.models import Membership, Team, TeamRole, User
from cerply.errors import NotFound
from cerply.openapi import PAGE_PARAMETERS
from cerply.permissions import Caller, Role
from cerply.requests import WRITES
from ops.api import ApiView

TAGS = ["people"]


def visible_teams(caller: Caller) -> QuerySet[Team]:
    """The whole organization's; a manager's are those that she manages or is in, a learner's those that she is in."""
    found = Team.objects.in_reach_of(caller)
    if caller.reads_organization:
        return found
    return found.filter(id__in=Membership.objects.filter(user_id=caller.id_to_match).values("team_id"))


def with_people(rows: QuerySet[Team], caller: Caller) -> QuerySet[Team]:
    """A learner sees who manages her team, and of its members herself."""
    memberships = Membership.objects.select_related("user")
    if caller.role is Role.LEARNER:
        memberships = memberships.filter(role=TeamRole.MANAGER) | memberships.filter(user_id=caller.id_to_match)
    elif caller.role is Role.MANAGER:
        managed = Membership.objects.filter(user_id=caller.id_to_match, role=TeamRole.MANAGER).values("team_id")
        memberships = (
            memberships.filter(role=TeamRole.MANAGER)
            | memberships.filter(user_id=caller.id_to_match)
            | memberships.filter(team_id__in=managed)
        )
    return rows.prefetch_related(Prefetch("memberships", memberships))


class TeamRoute(ApiView):
    def permit(self) -> None:
        if self.request.method in WRITES:
            self.require(self.caller.administers)
        if not self.caller.reads_organization and "team_id" in self.kwargs:
            seen = visible_teams(self.caller).filter(id=self.kwargs["team_id"]).exists()
            self.require(seen, "You may not see this team.")

    def find(self) -> None:
        if "team_id" in self.kwargs:
            found = visible_teams(self.caller).filter(id=self.kwargs["team_id"]).first()
            if found is None:
                raise NotFound("There is no such team.")
            self.team = found

    def represented(self, team: Team) -> dict[str, object]:
        return representation.team(with_people(Team.objects.filter(id=team.id), self.caller).get())


class TeamsView(TeamRoute):
    @extend_schema(
        operation_id="listTeams",
        summary="The teams one may see, by name",
        tags=TAGS,
        parameters=PAGE_PARAMETERS,
        responses={200: serializers.TeamPage},
    )
    def get(self, request: Request) -> Response:
        rows = with_people(visible_teams(self.caller), self.caller)
        return Response(self.page().of_queryset("teams", rows, representation.team))

    @extend_schema(
        operation_id="createTeam",
        summary="Make a team",
        tags=TAGS,
        request=serializers.TeamInput,
        responses={201: serializers.Team},
    )
    def post(self, request: Request) -> Response:
        values = self.valid(serializers.TeamInput)
        team = teams.create_team(self.caller.member_of, values, actor=self.caller.actor)
        return Response(self.represented(team), status=201)


class TeamView(TeamRoute):
    @extend_schema(operation_id="getTeam", summary="One team", tags=TAGS, responses={200: serializers.Team})
    def get(self, request: Request, team_id: UUID) -> Response:
        return Response(self.represented(self.team))

    @extend_schema(
        operation_id="changeTeam",
        summary="Rename a team, or replace its people",
        tags=TAGS,
        request=serializers.TeamPatch,
        responses={200: serializers.Team},
    )
    def patch(self, request: Request, team_id: UUID) -> Response:
        team = teams.change_team(self.team.id, self.valid(serializers.TeamPatch), actor=self.caller.actor)
        return Response(self.represented(team))

    @extend_schema(
        operation_id="deleteTeam",
        summary="Dissolve a team",
        description="Its people stay, and all that they did.",
        tags=TAGS,
        responses={204: None},
    )
    def delete(self, request: Request, team_id: UUID) -> Response:
        teams.delete_team(self.team.id, actor=self.caller.actor)
        return Response(status=204)


class TeamMemberView(TeamRoute):
    def find(self) -> None:
        super().find()
        people = User.objects.in_reach_of(self.caller)
        found = people.filter(id=self.kwargs["learner_id"]).first()
        if found is None:
            raise NotFound("There is no such learner.")
        self.learner = found

    @extend_schema(
        operation_id="putTeamMember",
        summary="Add somebody to a team",
        description="As a member, or with `role: manager` as its manager. Again: nothing changes.",
        tags=TAGS,
        request=serializers.MemberInput,
        responses={200: serializers.Team},
    )
    def put(self, request: Request, team_id: UUID, learner_id: UUID) -> Response:
        values = {} if self.body.is_empty else self.valid(serializers.MemberInput)
        role = TeamRole(values.get("role", TeamRole.MEMBER))
        teams.add_member(self.team, self.learner, role, actor=self.caller.actor)
        return Response(self.represented(self.team))

    @extend_schema(
        operation_id="deleteTeamMember",
        summary="Take somebody out of a team",
        description="As a member and as a manager. Again: nothing changes.",
        tags=TAGS,
        responses={204: None},
    )
    def delete(self, request: Request, team_id: UUID, learner_id: UUID) -> Response:
        teams.remove_member(self.team, self.learner, actor=self.caller.actor)
        return Response(status=204)
