"""Teams, and who is in them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Lower

from audit.models import EventType
from audit.recording import Event, record, record_many
from cerply.accounts.models import Membership, Organization, Team, TeamRole, User
from cerply.constraints import translated
from cerply.errors import Invalid, NotFound
from cerply.permissions import Actor, Role

MAY_MANAGE = frozenset({Role.MANAGER.value, Role.ADMIN.value})
NAME_TAKEN = "The organization has a team of this name already."
UNKNOWN = "There is no such learner: {}."
NO_MANAGER = "Only managers and admins manage teams: {}."
FIELD_OF_ROLE = {TeamRole.MANAGER: "managerIds", TeamRole.MEMBER: "memberIds"}
STEP = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Somebody's in the team of this name."""

    team: str
    user_id: UUID
    role: TeamRole


@transaction.atomic
def create_team(organization_id: UUID, values: Mapping[str, Any], *, actor: Actor) -> Team:
    """Values are as `TeamInput` gives them. Raises `Invalid`."""
    Organization.objects.locked().get(id=organization_id)
    team = Team(organization_id=organization_id, name=values["name"])
    _save_name(team)
    record(Event(EventType.TEAM_CREATED, organization_id, "team", team.id, {"name": team.name}), actor=actor)
    _set_people(team, values, actor=actor)
    return team


@transaction.atomic
def change_team(team_id: UUID, values: Mapping[str, Any], *, actor: Actor) -> Team:
    """Lists of people replace those that were there; what is left out stays. Raises `Invalid`."""
    if "name" in values:  # who makes teams holds the organization, and then no name is taken under her hands
        Organization.objects.locked().filter(teams=team_id).first()
    team = _locked(team_id)
    if "name" in values and values["name"] != team.name:
        before, team.name = team.name, values["name"]
        _save_name(team)
        metadata = {"before": before, "after": team.name}
        record(Event(EventType.TEAM_UPDATED, team.organization_id, "team", team.id, metadata), actor=actor)
    _set_people(team, values, actor=actor)
    return team


@transaction.atomic
def delete_team(team_id: UUID, *, actor: Actor) -> None:
    """The team alone: its people and all that they did stay."""
    team = Team.objects.select_for_update().filter(id=team_id).first()
    if team is None:
        return
    people = team.memberships.values_list("user_id", "role")
    metadata = {"name": team.name, "people": [{"userId": str(user_id), "role": role} for user_id, role in people]}
    record(Event(EventType.TEAM_DELETED, team.organization_id, "team", team.id, metadata), actor=actor)
    team.delete()


@transaction.atomic
def add_member(team: Team, user: User, role: TeamRole, *, actor: Actor) -> None:
    """Raises `Invalid` for a manager who is none."""
    _locked(team.id)
    if role is TeamRole.MANAGER and user.role not in MAY_MANAGE:
        raise Invalid({"role": [NO_MANAGER.format(user.id)]})
    _add(team, [user.id], role, actor=actor)


@transaction.atomic
def place(organization_id: UUID, places: Sequence[Place], *, actor: Actor) -> int:
    """Puts people into teams of these names, and makes those that are missing; returns how many it made.

    That managers may manage is the caller's to see to. The queries are as many for one as for `STEP` of them.
    """
    Organization.objects.locked().get(id=organization_id)
    keys = _keys({where.team for where in places})
    found = Team.objects.for_organization(organization_id).annotate(key=Lower("name"))
    found = found.filter(key__in=list(keys.values())).order_by("id").select_for_update(no_key=True)
    teams: dict[str, Team] = {team.key: team for team in found}
    fresh: dict[str, Team] = {}
    for where in places:
        if (key := keys[where.team]) not in teams:
            fresh.setdefault(key, Team(organization_id=organization_id, name=where.team))
    Team.objects.bulk_create(fresh.values(), batch_size=STEP)
    made = [
        Event(EventType.TEAM_CREATED, organization_id, "team", team.id, {"name": team.name}) for team in fresh.values()
    ]
    record_many(made, actor=actor)
    teams |= fresh
    wanted = {(teams[keys[where.team]], where.user_id, where.role): None for where in places}
    for chunk in batched(wanted, STEP):
        _add_all(chunk, actor=actor)
    return len(fresh)


def _keys(names: Collection[str]) -> dict[str, str]:
    """The names in lower case as the database sees it, which has the last word on whether two are the same."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, lower(name) FROM unnest(%s::text[]) AS name", [list(names)])
        return dict(cursor.fetchall())


@transaction.atomic
def remove_member(team: Team, user: User, *, actor: Actor) -> None:
    """As a member and as a manager."""
    _locked(team.id)
    for role in TeamRole:
        _remove(team, [user.id], role, actor=actor)


@transaction.atomic
def add_people(team_id: UUID, user_ids: Collection[UUID], role: TeamRole, *, actor: Actor) -> int:
    """How many were not in it yet. Raises `Invalid`."""
    team = _locked(team_id)
    if problems := _problems(team.organization_id, user_ids, role):
        raise Invalid({FIELD_OF_ROLE[role]: problems})
    return _add(team, sorted(user_ids), role, actor=actor)


@transaction.atomic
def remove_people(team_id: UUID, user_ids: Collection[UUID], role: TeamRole, *, actor: Actor) -> int:
    """How many were in it in this role; in the other one they stay."""
    return _remove(_locked(team_id), sorted(user_ids), role, actor=actor)


def _locked(team_id: UUID) -> Team:
    """Who comes and goes does so one after the other."""
    team = Team.objects.select_for_update(no_key=True).filter(id=team_id).first()
    if team is None:
        raise NotFound("There is no such team.")
    return team


def _save_name(team: Team) -> None:
    with translated({"teams_name_unique_in_organization": ("name", NAME_TAKEN)}):
        team.save()


def _set_people(team: Team, values: Mapping[str, Any], *, actor: Actor) -> None:
    problems: dict[str, list[str]] = {}
    wanted = {role: set(values[name]) for role, name in FIELD_OF_ROLE.items() if name in values}
    for role, ids in wanted.items():
        problem = _problems(team.organization_id, ids, role)
        if problem:
            problems[FIELD_OF_ROLE[role]] = problem
    if problems:
        raise Invalid(problems)
    for role, ids in wanted.items():
        present = set(team.memberships.filter(role=role).values_list("user_id", flat=True))
        _remove(team, sorted(present - ids), role, actor=actor)
        _add(team, sorted(ids - present), role, actor=actor)


def _problems(organization_id: UUID, ids: Collection[UUID], role: TeamRole) -> list[str]:
    people = dict(User.objects.for_organization(organization_id).filter(id__in=ids).values_list("id", "role"))
    problems = [UNKNOWN.format(user_id) for user_id in sorted(set(ids) - people.keys())]
    if role is TeamRole.MANAGER:
        problems += [NO_MANAGER.format(key) for key, of_user in sorted(people.items()) if of_user not in MAY_MANAGE]
    return problems


def _add(team: Team, user_ids: Sequence[UUID], role: TeamRole, *, actor: Actor) -> int:
    return _add_all([(team, user_id, role) for user_id in user_ids], actor=actor)


def _add_all(wanted: Sequence[tuple[Team, UUID, TeamRole]], *, actor: Actor) -> int:
    """Whoever is there already stays; how many were not. The caller holds the teams."""
    those = Membership.objects.filter(
        team_id__in={team.id for team, _, _ in wanted}, user_id__in={user_id for _, user_id, _ in wanted}
    )
    present = set(those.values_list("team_id", "user_id", "role"))
    missing = [(team, user_id, role) for team, user_id, role in wanted if (team.id, user_id, role) not in present]
    Membership.objects.bulk_create(Membership(team=team, user_id=user_id, role=role) for team, user_id, role in missing)
    events = [_event(EventType.TEAM_MEMBER_ADDED, team, user_id, role) for team, user_id, role in missing]
    record_many(events, actor=actor)
    return len(missing)


def _remove(team: Team, user_ids: Sequence[UUID], role: TeamRole, *, actor: Actor) -> int:
    rows = Membership.objects.filter(team=team, user_id__in=user_ids, role=role)
    gone = list(rows.select_for_update().values_list("user_id", flat=True))
    rows.filter(user_id__in=gone).delete()
    record_many([_event(EventType.TEAM_MEMBER_REMOVED, team, user_id, role) for user_id in gone], actor=actor)
    return len(gone)


def _event(type_: EventType, team: Team, user_id: UUID, role: str) -> Event:
    return Event(type_, team.organization_id, "team", team.id, {"userId": str(user_id), "role": role})
