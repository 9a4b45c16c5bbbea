"""The list of learners at risk, and the organization's rules, in the API and in the admin."""

from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from cerply import clock
from cerply.accounts.organizations import close_organization, delete_organization
from cerply.clock import rfc3339
from cerply.permissions import Role
from gamification.at_risk_policies import set_policy
from gamification.models import AtRiskEpisode, AtRiskPolicy
from ops.features import Feature, set_toggle
from tests.api.client import Api
from tests.console import action_of, events, page_of, typed
from tests.factories import ACTOR, Cast, make_organization, make_team, make_track, make_user
from tests.gamification.at_risk import day, give, look
from tests.threads import at_once

ADMIN_TOKEN = "dev-admin-token-12345"
RULES = {"comprehension": True, "share": 70, "answers": 20, "leastAnswers": 10, "silence": True, "days": 7}
PATH = "/organization/at-risk-policy"


@pytest.fixture
def at_risk(cast: Cast) -> None:
    """The learner for both reasons, the colleague and the outsider for one."""
    give(cast.learner, cast.track, wrong=12)
    give(cast.colleague, cast.track, right=1)
    give(cast.outsider, cast.outside_track, right=1, on=1)
    look(8)


def ids(body: dict[str, Any]) -> list[str]:
    return [row["learnerId"] for row in body["atRisk"]]


# -- the list --


@pytest.mark.usefixtures("at_risk")
def test_a_manager_sees_those_of_her_teams(api: Api, cast: Cast) -> None:
    with clock.moved_to(day(9)):
        body = api.get("/at-risk", by=api.token_of(cast.manager)).body
    assert body["total"] == 2
    silence, comprehension = body["atRisk"]
    about = {
        "learnerId": str(cast.learner.id),
        "learnerName": "Maya Lindqvist",
        "trackId": str(cast.track.id),
        "trackTitle": cast.track.title,
        "foundAt": rfc3339(day(8)),
        "lastAnswerAt": rfc3339(day(0)),
    }
    nothing = {"share": None, "answers": None, "threshold": None}
    assert silence == about | nothing | {"id": silence["id"], "reason": "silence", "since": rfc3339(day(7)), "days": 9}
    numbers = {"share": 0.0, "answers": 12, "threshold": 70, "days": None}
    assert comprehension == about | numbers | {
        "id": comprehension["id"],
        "reason": "comprehension",
        "since": rfc3339(day(0)),
    }


@pytest.mark.usefixtures("at_risk")
def test_who_reads_the_organization_sees_all_of_it_and_nothing_else(api: Api, cast: Cast) -> None:
    ours = [str(learner.id) for learner in (cast.colleague, cast.learner, cast.learner)]
    for reader in (cast.admin, cast.auditor):
        assert sorted(ids(api.get("/at-risk", by=reader).body)) == sorted(ours)
    assert ids(api.get("/at-risk", by=cast.outside_admin).body) == [str(cast.outsider.id)]
    assert ids(api.get("/at-risk", by=cast.outside_manager).body) == [str(cast.outsider.id)]
    assert api.get("/at-risk", x_admin_token=ADMIN_TOKEN).body["total"] == 4
    assert ids(api.get("/at-risk", by=make_user(cast.organization, Role.MANAGER)).body) == []


@pytest.mark.usefixtures("at_risk")
def test_nobody_and_learners_may_not_see_it(api: Api, cast: Cast) -> None:
    assert api.get("/at-risk").status == 401
    assert api.get("/at-risk", by=cast.learner).status == 403
    assert api.post("/at-risk", {}, by=cast.admin).status == 405


def test_a_manager_is_not_in_her_own_list(api: Api, cast: Cast) -> None:
    make_team(cast.organization, [cast.manager], [cast.manager])
    give(cast.manager, cast.track, right=1)
    look(8)
    assert api.get("/at-risk", by=cast.manager).body["total"] == 0
    assert api.get("/at-risk", by=cast.admin).body["total"] == 1


@pytest.mark.usefixtures("at_risk")
def test_it_is_filtered_and_paged_and_each_row_met_once(api: Api, cast: Cast) -> None:
    for number in range(5):
        give(cast.learner, make_track(None, title=f"Track {number}"), right=1)
    look(9)
    pages = [api.get(f"/at-risk?limit=3&offset={offset}", by=cast.admin).body for offset in (0, 3, 6)]
    rows = [row for page in pages for row in page["atRisk"]]
    assert len({row["id"] for row in rows}) == len(rows) == pages[0]["total"] == 8
    assert rows == sorted(rows, key=lambda row: (row["since"], row["id"]), reverse=True)
    assert api.get("/at-risk?reason=silence", by=cast.admin).body["total"] == 7
    assert api.get("/at-risk?reason=comprehension", by=cast.admin).body["total"] == 1
    for bad in ("reason=none", "reason=", "limit=0", "offset=-1"):
        assert api.get(f"/at-risk?{bad}", by=cast.admin).status == 400


@pytest.mark.usefixtures("at_risk")
def test_the_number_of_queries_does_not_grow_with_the_rows(api: Api, cast: Cast) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert api.get("/at-risk", by=cast.manager).status == 200
        return len(captured)

    queries()
    before = queries()
    for _ in range(10):
        give(cast.learner, make_track(cast.organization), right=1)
    look(9)
    assert queries() == before <= 6
    assert api.get("/at-risk", by=cast.manager).body["total"] == 12


@pytest.mark.usefixtures("at_risk")
def test_closed_organizations_are_in_nobodys_list(api: Api, cast: Cast) -> None:
    close_organization(cast.organization, actor=ACTOR, reason="x")
    assert ids(api.get("/at-risk", x_admin_token=ADMIN_TOKEN).body) == [str(cast.outsider.id)]


def test_where_gamification_is_off_there_is_no_such_list(api: Api, cast: Cast, settings: Settings) -> None:
    set_toggle(Feature.GAMIFICATION, cast.organization.id, False, actor=ACTOR, reason="x")
    for path in ("/at-risk", PATH):
        assert api.get(path, by=cast.admin).status == 404
        assert api.get(path, by=cast.outside_admin).status == 200
    settings.FEATURE_SWITCHES = {**settings.FEATURE_SWITCHES, "gamification": False}
    for path in ("/at-risk", PATH):
        assert api.get(path, by=cast.outside_admin).status == 404


# -- the rules --


def test_the_defaults_hold_until_an_admin_says_otherwise(api: Api, cast: Cast) -> None:
    assert api.get(PATH, by=cast.admin).body == RULES
    rules = RULES | {"share": 85, "days": 14, "silence": False}
    assert api.put(PATH, rules, by=cast.admin).body == rules
    assert api.get(PATH, by=cast.auditor).body == rules
    assert api.get(PATH, by=cast.outside_admin).body == RULES
    [event] = events("at_risk_policy_changed")
    assert (event.organization_id, event.actor_id) == (cast.organization.id, cast.admin.id)
    assert event.metadata["changes"] == {
        "share": {"before": 70, "after": 85},
        "days": {"before": 7, "after": 14},
        "silence": {"before": True, "after": False},
    }
    api.put(PATH, rules, by=cast.admin)
    assert len(events("at_risk_policy_changed")) == 1


def test_only_an_admin_says_it_and_an_auditor_reads_it(api: Api, cast: Cast) -> None:
    for who in (cast.learner, cast.manager):
        assert (api.get(PATH, by=who).status, api.put(PATH, RULES, by=who).status) == (403, 403)
    assert (api.get(PATH).status, api.put(PATH, RULES).status) == (401, 401)
    assert api.put(PATH, RULES, by=cast.auditor).status == 403
    assert api.get(PATH, x_admin_token=ADMIN_TOKEN).body == RULES
    assert api.put(PATH, RULES, x_admin_token=ADMIN_TOKEN).status == 403
    assert not AtRiskPolicy.objects.exists()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"share": 0}, "share"),
        ({"share": 101}, "share"),
        ({"share": "70"}, "share"),
        ({"share": 70.5}, "share"),
        ({"answers": 0}, "answers"),
        ({"answers": 101}, "answers"),
        ({"leastAnswers": 0}, "leastAnswers"),
        ({"leastAnswers": 21}, "leastAnswers"),
        ({"days": 0}, "days"),
        ({"days": 366}, "days"),
        ({"silence": 1}, "silence"),
        ({"comprehension": None}, "comprehension"),
        ({"more": 1}, "more"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(api: Api, cast: Cast, values: dict[str, Any], field: str) -> None:
    answer = api.put(PATH, RULES | values, by=cast.admin)
    assert (answer.status, list(answer.details)) == (400, [field])
    missing = {name: value for name, value in RULES.items() if name != "days"}
    assert list(api.put(PATH, missing, by=cast.admin).details) == ["days"]


def test_the_same_request_again_is_answered_again(api: Api, cast: Cast) -> None:
    rules = RULES | {"share": 60}
    first = api.put(PATH, rules, by=cast.admin, x_idempotency_key="k")
    again = api.put(PATH, rules, by=cast.admin, x_idempotency_key="k")
    assert (again.body, again.headers["X-Idempotency-Replay"]) == (first.body, "true")
    assert len(events("at_risk_policy_changed")) == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_who_say_it_at_once_do_so_after_each_other(cast: Cast) -> None:
    values = [{"share": 50 + number} for number in range(6)]
    at_once([partial(set_policy, cast.organization.id, rules, actor=ACTOR) for rules in values])
    changes = [event.metadata["changes"]["share"] for event in events("at_risk_policy_changed")]
    assert len(changes) == 6
    # Each began where another had ended.
    assert {each["before"] for each in changes} ^ {each["after"] for each in changes} == {
        70,
        AtRiskPolicy.objects.get().share,
    }


# -- the admin --


def test_staff_set_the_rules_of_an_organization(console: Client, cast: Cast) -> None:
    add = page_of(AtRiskPolicy, "add")
    page = console.post(add, typed(console, add, organization=str(cast.organization.id), least_answers=30))
    assert "No more answers can be required than are looked at." in page.content.decode()
    chosen = typed(console, add, organization=str(cast.organization.id), share=75)
    assert console.post(add, chosen).status_code == 302
    change = page_of(AtRiskPolicy, "change", cast.organization.id)
    assert console.post(change, typed(console, change, days=10, comprehension=False)).status_code == 302
    policy = AtRiskPolicy.objects.get()
    assert (policy.share, policy.days, policy.comprehension, policy.silence) == (75, 10, False, True)
    first, second = events("at_risk_policy_changed")
    assert first.metadata["changes"] == {"share": {"before": 70, "after": 75}}
    assert second.metadata["changes"] == {
        "comprehension": {"before": True, "after": False},
        "days": {"before": 7, "after": 10},
    }
    assert second.actor_label == "staff"
    assert console.get(action_of(policy, "trail")).status_code == 302
    listed = console.get(page_of(AtRiskPolicy, "changelist") + "?q=nordlys").content.decode()
    assert "Nordlys Energy" in listed


def test_a_form_that_was_open_for_long_changes_only_what_was_changed_in_it(console: Client, cast: Cast) -> None:
    set_policy(cast.organization.id, {"share": 75}, actor=ACTOR)
    change = page_of(AtRiskPolicy, "change", cast.organization.id)
    form = typed(console, change, days=10)
    set_policy(cast.organization.id, {"share": 60}, actor=ACTOR)
    assert console.post(change, form).status_code == 302
    policy = AtRiskPolicy.objects.get()
    assert (policy.share, policy.days) == (60, 10)


def test_an_organizations_rules_go_with_it(cast: Cast) -> None:
    organization = make_organization("Gone Ltd")
    set_policy(organization.id, {"share": 60}, actor=ACTOR)
    delete_organization(organization, actor=ACTOR)
    assert not AtRiskPolicy.objects.exists()


@pytest.mark.usefixtures("at_risk")
def test_staff_see_who_is_at_risk_and_change_nothing(console: Client, cast: Cast) -> None:
    path = page_of(AtRiskEpisode, "changelist")
    page = console.get(path).content.decode()
    assert page.count("Jonas Weber") >= 1
    assert "Olga Outsider" in page
    for search in (cast.learner.email, str(cast.learner.id)):
        found = console.get(f"{path}?q={search}").content.decode()
        assert ("Maya Lindqvist" in found, "Jonas Weber" in found) == (True, False)
    assert "Olga" not in console.get(f"{path}?organization__id__exact={cast.organization.id}").content.decode()
    episode = AtRiskEpisode.objects.filter(learner=cast.colleague).get()
    assert console.get(page_of(AtRiskEpisode, "change", episode.id)).status_code == 200
    assert console.post(page_of(AtRiskEpisode, "change", episode.id), {}).status_code == 403
    assert console.get(page_of(AtRiskEpisode, "add")).status_code == 403
    give(cast.colleague, cast.track, right=1, on=8)
    look(9)
    assert "Jonas Weber" not in console.get(path).content.decode()


@pytest.mark.usefixtures("at_risk")
def test_the_admins_list_asks_as_much_for_many_as_for_few(console: Client, cast: Cast) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            console.get(page_of(AtRiskEpisode, "changelist"))
        return len(captured)

    queries()
    before = queries()
    for _ in range(10):
        give(cast.learner, make_track(cast.organization), right=1)
    look(9)
    assert queries() == before
