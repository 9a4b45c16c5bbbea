"""Features: the order of decision, and the exact share of a rollout."""

from uuid import UUID, uuid4

import pytest
from django_q.models import OrmQ
from pytest_django import DjangoAssertNumQueries, Settings

from audit.models import AuditEvent
from ops import features
from ops.features import Decision, Feature, Reason
from ops.models import FeatureEnrolment, FeatureRollout
from tests.api.client import Api
from tests.factories import ACTOR, Cast, make_organization
from tests.processes import run_python

FEATURE = Feature.CERTIFICATES
WHY = "Because."

pytestmark = pytest.mark.django_db


def make_organizations(number: int) -> list[UUID]:
    """By id alone: features know no more of them."""
    organizations = [uuid4() for _ in range(number)]
    for organization in organizations:
        features.enrol(organization)
    return organizations


def roll_out(percentage: int | None) -> features.RolloutPreview:
    return features.set_rollout(FEATURE, percentage, actor=ACTOR, reason=WHY)


def on() -> set[UUID]:
    enrolled = FeatureEnrolment.objects.filter(feature=FEATURE).values_list("organization_id", flat=True)
    return {organization for organization in enrolled if features.is_on(FEATURE, organization)}


def decided(organization: UUID) -> tuple[bool, Reason]:
    decision = features.decide(FEATURE, organization)
    return decision.on, decision.reason


def events(type_: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(type=type_, metadata__feature=FEATURE).order_by("id"))


# -- the order of decision --


def test_each_decision_gives_way_to_the_one_before_it(settings: Settings) -> None:
    [organization] = make_organizations(1)
    assert decided(organization) == (True, Reason.DEFAULT)
    roll_out(0)
    assert decided(organization) == (False, Reason.ROLLOUT)
    features.set_pilot(FEATURE, organization, True, actor=ACTOR, reason=WHY)
    assert decided(organization) == (True, Reason.PILOT)
    features.set_toggle(FEATURE, organization, False, actor=ACTOR, reason=WHY)
    assert decided(organization) == (False, Reason.ORGANIZATION)
    features.set_toggle(FEATURE, organization, True, actor=ACTOR, reason=WHY)
    assert decided(organization) == (True, Reason.ORGANIZATION)
    settings.FEATURE_SWITCHES = settings.FEATURE_SWITCHES | {FEATURE: False}
    assert decided(organization) == (False, Reason.SWITCH)


def test_an_organization_that_nobody_knows_is_in_no_rollout() -> None:
    assert decided(uuid4()) == (True, Reason.DEFAULT)
    roll_out(100)
    assert decided(uuid4()) == (False, Reason.ROLLOUT)


def test_without_an_organization_the_switch_decides(settings: Settings) -> None:
    roll_out(0)
    assert features.decisions()[FEATURE] == Decision(True, Reason.DEFAULT)
    settings.FEATURE_SWITCHES = settings.FEATURE_SWITCHES | {FEATURE: False}
    assert features.decisions()[FEATURE] == Decision(False, Reason.SWITCH)


# -- the share --


@pytest.mark.parametrize(
    ("percentage", "candidates", "share"),
    [(15, 40, 6), (0, 40, 0), (100, 40, 40), (50, 1, 1), (49, 1, 0), (5, 10, 1), (4, 10, 0), (15, 10, 2), (1, 50, 1)],
)
def test_a_rollout_takes_an_exact_share_and_half_is_a_whole_one(percentage: int, candidates: int, share: int) -> None:
    make_organizations(candidates)
    change = roll_out(percentage)
    assert len(on()) == len(change.chosen) == share
    assert (change.before, change.after, change.candidates) == (None, percentage, candidates)


def test_toggles_and_pilots_are_not_in_the_share() -> None:
    organizations = make_organizations(44)
    for organization in organizations[:2]:
        features.set_pilot(FEATURE, organization, True, actor=ACTOR, reason=WHY)
    features.set_toggle(FEATURE, organizations[2], True, actor=ACTOR, reason=WHY)
    features.set_toggle(FEATURE, organizations[3], False, actor=ACTOR, reason=WHY)
    roll_out(15)
    assert len(on() & set(organizations[4:])) == 6
    assert on() & set(organizations[:4]) == set(organizations[:3])


def test_raising_only_adds() -> None:
    make_organizations(20)
    roll_out(0)
    before: set[UUID] = set()
    for percentage in (5, 5, 12, 13, 50, 99, 100):
        change = roll_out(percentage)
        assert before <= on()
        assert set(change.switched_on) == on() - before
        assert change.switched_off == ()
        before = on()


def test_raising_takes_nobody_out_where_the_share_has_shrunk() -> None:
    organizations = make_organizations(10)
    roll_out(50)
    chosen = on()
    for organization in set(organizations) - chosen:
        features.set_toggle(FEATURE, organization, False, actor=ACTOR, reason=WHY)
    assert on() == chosen
    assert roll_out(60).switched_off == ()
    assert on() == chosen
    assert len(roll_out(40).switched_off) == 3


def test_each_feature_takes_others() -> None:
    make_organizations(40)
    chosen = {feature: features.preview_rollout(feature, 25).chosen for feature in Feature}
    assert len(set(chosen.values())) == len(Feature)


def test_new_organizations_join_as_the_share_allows() -> None:
    make_organizations(4)
    roll_out(25)
    first = on()
    assert len(first) == 1
    [fifth] = make_organizations(1)
    assert on() == first
    [sixth] = make_organizations(1)
    assert on() == {*first, sixth}
    assert decided(fifth) == (False, Reason.ROLLOUT)


def test_a_place_that_becomes_free_is_taken_by_another() -> None:
    make_organizations(10)
    roll_out(20)
    leaving, staying = on()
    features.withdraw(leaving)
    assert len(on()) == 2
    assert staying in on()
    features.set_pilot(FEATURE, staying, True, actor=ACTOR, reason=WHY)
    assert len(on() - {staying}) == 2


def test_what_lowering_does_is_shown_beforehand() -> None:
    make_organizations(20)
    roll_out(50)
    before = on()
    shown = features.preview_rollout(FEATURE, 20)
    assert on() == before
    assert (len(shown.switched_on), len(shown.switched_off)) == (0, 6)
    assert roll_out(20) == shown
    assert on() == before - set(shown.switched_off)


def test_the_first_percentage_switches_the_others_off_and_none_switches_all_on() -> None:
    organizations = make_organizations(10)
    assert len(roll_out(30).switched_off) == 7
    change = roll_out(None)
    assert len(change.switched_on) == 7
    assert on() == set(organizations)
    assert not FeatureEnrolment.objects.filter(in_rollout=True).exists()


@pytest.mark.parametrize("percentage", [-1, 101])
def test_a_percentage_is_from_0_to_100(percentage: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        roll_out(percentage)


# -- the record, and what is owed --


def test_every_switch_is_audited_with_who_and_why() -> None:
    [organization] = make_organizations(1)
    features.set_toggle(FEATURE, organization, False, actor=ACTOR, reason="They asked.")
    [event] = events("feature_switched")
    assert (event.organization_id, event.actor_label) == (organization, ACTOR.label)
    assert event.metadata == {
        "feature": "certificates",
        "setting": "toggle",
        "before": None,
        "after": False,
        "on": False,
        "decidedBy": "organization",
        "reason": "They asked.",
    }


def test_a_rollout_is_audited_once_and_each_organization_it_switches() -> None:
    make_organizations(10)
    roll_out(30)
    [event] = events("rollout_changed")
    assert event.metadata == {
        "feature": "certificates",
        "before": None,
        "after": 30,
        "candidates": 10,
        "chosen": 3,
        "reason": WHY,
    }
    switched = events("feature_switched")
    assert {event.organization_id for event in switched} == set(
        FeatureEnrolment.objects.filter(feature=FEATURE, in_rollout=False).values_list("organization_id", flat=True)
    )
    assert {(event.metadata["on"], event.metadata["reason"]) for event in switched} == {(False, WHY)}


@pytest.mark.parametrize("reason", ["", "  "])
def test_without_a_reason_nothing_is_switched(reason: str) -> None:
    [organization] = make_organizations(1)
    with pytest.raises(ValueError, match="Say why"):
        features.set_toggle(FEATURE, organization, False, actor=ACTOR, reason=reason)
    with pytest.raises(ValueError, match="Say why"):
        features.set_rollout(FEATURE, 0, actor=ACTOR, reason=reason)
    assert on() == {organization}


def test_what_the_environment_switches_is_noticed(settings: Settings) -> None:
    make_organizations(3)
    assert features.notice_changes() == "Noticed 0 switched features."
    settings.FEATURE_SWITCHES = settings.FEATURE_SWITCHES | {FEATURE: False}
    assert features.notice_changes() == "Noticed 3 switched features."
    assert features.notice_changes() == "Noticed 0 switched features."
    settings.FEATURE_SWITCHES = settings.FEATURE_SWITCHES | {FEATURE: True}
    features.notice_changes()
    assert [(event.metadata["on"], event.actor_label) for event in events("feature_switched")] == [
        *[(False, "environment")] * 3,
        *[(True, "environment")] * 3,
    ]


def test_a_switch_costs_the_same_for_one_organization_as_for_many(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    make_organizations(40)
    with django_assert_max_num_queries(20):
        roll_out(50)


# -- over the API --


def test_everybody_sees_which_features_are_on_and_why(api: Api, cast: Cast) -> None:
    features.set_toggle(FEATURE, cast.organization.id, False, actor=ACTOR, reason=WHY)
    default = {"on": True, "reason": "default"}
    off = {"on": False, "reason": "organization"}
    theirs = {"features": {"gamification": default, "certificates": off, "managerNotifications": default}}
    everybodys = {"features": dict.fromkeys(["gamification", "certificates", "managerNotifications"], default)}
    for user in (cast.learner, cast.manager, cast.admin, cast.auditor):
        assert api.get("/flags", by=user).body == theirs
    assert api.get("/flags", by=cast.outsider).body == everybodys
    assert api.get("/flags").body == everybodys
    assert api.get("/flags", x_admin_token="dev-admin-token-12345").body == everybodys
    assert api.get("/flags", by="wrong").status == 401


def test_a_feature_that_is_off_is_not_there(api: Api, cast: Cast, settings: Settings) -> None:
    path = f"/learners/{cast.learner.id}/levels"
    features.set_toggle(Feature.GAMIFICATION, cast.organization.id, False, actor=ACTOR, reason=WHY)
    answer = api.get(path, by=cast.learner)
    assert (answer.status, answer.body["error"]["message"]) == (404, "Feature not enabled")
    assert api.get(path).status == 401
    assert api.get(f"/learners/{cast.outsider.id}/levels", by=cast.outsider).status == 200
    settings.FEATURE_SWITCHES = settings.FEATURE_SWITCHES | {"gamification": False}
    assert api.get(path).body["error"]["message"] == "Feature not enabled"
    assert api.post(path).status == 404


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_another_process_sees_the_switch_at_once() -> None:
    [organization] = make_organizations(1)
    ask = f"from ops.features import *\nprint(is_on(Feature.CERTIFICATES, '{organization}'))"
    assert run_python(ask).stdout.strip() == "True"
    features.set_toggle(FEATURE, organization, False, actor=ACTOR, reason=WHY)
    assert run_python(ask).stdout.strip() == "False"


def test_there_is_a_row_for_each_feature() -> None:
    assert set(FeatureRollout.objects.values_list("feature", flat=True)) == set(Feature.values)


def test_switching_on_asks_the_worker_to_catch_up_at_once(db: None) -> None:
    organization = make_organization()
    OrmQ.objects.all().delete()
    features.set_toggle(FEATURE, organization.id, False, actor=ACTOR, reason=WHY)
    assert not OrmQ.objects.exists()
    features.set_toggle(FEATURE, organization.id, True, actor=ACTOR, reason=WHY)
    [task] = OrmQ.objects.all()
    assert task.task["func"] == "gamification.catchup.resume"
