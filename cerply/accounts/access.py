"""Who sees whom, and the routes below one learner."""

from collections import defaultdict
from collections.abc import Collection
from typing import ClassVar
from uuid import UUID

from cerply.accounts.models import Membership, TeamRole, User
from cerply.errors import NotFound
from cerply.permissions import Caller, Role
from ops.api import ApiView


def may_see_learner(caller: Caller, learner_id: UUID) -> bool:
    """Decided without looking whether there is such a learner, except among a manager's own."""
    if caller.reads_organization:
        return True
    if learner_id == caller.user_id:
        return True
    if caller.role is not Role.MANAGER or caller.user_id is None:
        return False
    return Membership.objects.managed_by(caller.user_id).filter(user_id=learner_id).exists()


def managers_of(learner_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """The active managers of each learner's teams; nobody is her own manager. Two queries."""
    teams: dict[UUID, set[UUID]] = defaultdict(set)
    memberships = Membership.objects.filter(user_id__in=learner_ids, role=TeamRole.MEMBER)
    for learner_id, team_id in memberships.values_list("user_id", "team_id"):
        teams[learner_id].add(team_id)
    managers: dict[UUID, set[UUID]] = defaultdict(set)
    managerships = Membership.objects.of_managers().filter(
        team_id__in={team_id for of_learner in teams.values() for team_id in of_learner}
    )
    for team_id, manager_id in managerships.values_list("team_id", "user_id"):
        managers[team_id].add(manager_id)
    return {
        learner_id: {manager_id for team_id in of_learner for manager_id in managers[team_id]} - {learner_id}
        for learner_id, of_learner in teams.items()
    }


class LearnerView(ApiView):
    """A route below ``learners/<id:learner_id>``: for herself, her manager, and who reads the organization."""

    # Whether who reads everything gets an empty page for a learner that is not known.
    empty_for_unknown: ClassVar[bool] = False
    learner: User | None = None

    def permit(self) -> None:
        self.require(may_see_learner(self.caller, self.kwargs["learner_id"]), "You may not see this learner.")

    def find(self) -> None:
        people = User.objects.members().in_reach_of(self.caller).select_related("organization")
        self.learner = people.filter(id=self.kwargs["learner_id"]).first()
        if self.learner is None and not (self.empty_for_unknown and self.caller.reads_everything):
            raise NotFound("There is no such learner.")

    @property
    def found_learner(self) -> User:
        if self.learner is None:
            raise NotFound("There is no such learner.")
        return self.learner
