"""What jobs, commands and staff do for ours alone."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from audit import verifying
from audit.findings import Report
from cerply import clock
from cerply.accounts import people, teams
from cerply.accounts.models import TeamRole
from cerply.permissions import Role
from certificates import keys
from gamification import at_risk
from gamification.bulk_issuing import Circle
from gamification.catchup import Run
from gamification.models import AtRiskWatch, LearnerStanding
from notifications import preferring
from notifications.models import Delivery, DisabledReason, WebhookEndpoint, WebhookNotice
from notifications.webhooks import endpoints
from ops.models import Feature
from tests.factories import ACTOR
from tests.notifications.webhooks import make_endpoint
from tests.tenancy.world import MARK, World

PASSWORD = "correct horse battery"


def put_into_a_team_of_a_name_that_they_have_too(world: World) -> int:
    place = teams.Place(f"{MARK} team", world.ours.people[Role.LEARNER].id, TeamRole.MEMBER)
    return teams.place(world.ours.organization.id, [place], actor=ACTOR)


def rotate_the_key(world: World) -> None:
    keys.rotate(world.ours.organization.id, actor=ACTOR)


def choose_the_signer(world: World) -> list[bool]:
    """For both: one of them comes first, whatever the order."""
    own = []
    for side in (world.ours, world.theirs):
        key = keys.signer_of(side.organization.id, actor=ACTOR).key
        own.append(key.organization_id == side.organization.id)
    return own


def stop_telling_of_who_is_at_risk(world: World) -> None:
    row = AtRiskWatch.objects.get(organization=world.ours.organization)
    at_risk._switch(row, clock.now(), looks=True, tells=False)


def find_whom_to_issue_to(world: World) -> list[bool]:
    found = Circle(world.ours.organization.id, world.shared_track).learners()
    return [each == world.ours.people[Role.LEARNER].id for each in found]


def settle_what_is_owed(world: World) -> int:
    run = Run(timedelta(minutes=1))
    run.work_off(Feature.GAMIFICATION, world.ours.organization.id)
    return LearnerStanding.objects.filter(badges_due=True, organization=world.theirs.organization).count()


def decide_when_mail_comes(world: World) -> bool:
    """Whether it comes to theirs as before."""
    theirs = Delivery.objects.filter(manager_id=world.theirs.people[Role.MANAGER].id).waiting().order_by("pk")
    due = list(theirs.values_list("due_at", flat=True))
    preferring.decide_policy(world.ours.organization.id, {"frequency": "weekly"}, actor=ACTOR)
    return bool(due) and due == list(theirs.values_list("due_at", flat=True))


def bring_in_somebody_with_a_password_and_an_external_id_of_theirs(world: World) -> bool:
    row = {"externalId": f"{MARK}-learner", "name": "One", "email": "one@example.com", "password": PASSWORD}
    return people.save_people(world.ours.organization.id, [row], actor=ACTOR).people[0].check_password(PASSWORD)


def disable_a_webhook(world: World) -> int:
    endpoint = WebhookEndpoint.objects.get(id=world.ours.ids["webhook_id"])
    endpoints.disable(endpoint, DisabledReason.GONE, actor=ACTOR)
    return WebhookNotice.objects.count()


def add_a_webhook_when_they_have_as_many_as_may_be(world: World) -> str:
    make_endpoint(world.ours.organization, "https://ours.example/other", "certificate.issued")
    return "made"


def go_on_verifying_where_it_stopped(world: World) -> list[str]:
    """For both: one of the chains comes first, whatever the order."""
    report = Report()
    for side in (world.ours, world.theirs):
        chain = side.organization.id
        verifying.go_along(report, organization_id=chain, after=(chain, 1))
    return report.said


# What each is for ours, when it leaves theirs alone.
DEEDS: Mapping[Callable[[World], Any], Any] = {
    put_into_a_team_of_a_name_that_they_have_too: 1,
    rotate_the_key: None,
    choose_the_signer: [True, True],
    stop_telling_of_who_is_at_risk: None,
    find_whom_to_issue_to: [True],
    settle_what_is_owed: 1,
    decide_when_mail_comes: True,
    bring_in_somebody_with_a_password_and_an_external_id_of_theirs: True,
    disable_a_webhook: 1,
    add_a_webhook_when_they_have_as_many_as_may_be: "made",
    go_on_verifying_where_it_stopped: [],
}
