"""Who is at risk, from when, and until when; and that managers are told once."""

from decimal import Decimal
from typing import Any

import pytest

from cerply import clock
from cerply.accounts.people import change_person
from cerply.clock import rfc3339
from cerply.tracks.editing import change_item
from certificates.models import Certificate
from certificates.revoking import revoke
from gamification.at_risk_policies import set_policy
from gamification.completing import complete_outside
from gamification.models import AtRiskEpisode, LearnerLevel
from notifications.models import ManagerNotification
from ops.features import Feature, set_toggle
from tests.factories import ACTOR, Cast, complete, make_track
from tests.gamification.at_risk import day, give, look, present, reasons, told


def set_rules(cast: Cast, **values: Any) -> None:
    set_policy(cast.organization.id, values, actor=ACTOR)


# -- comprehension --


@pytest.mark.parametrize(
    ("right", "wrong", "is_at_risk"),
    [
        (6, 4, True),  # 60 % of 10
        (7, 3, False),  # 70 % is not under 70 %
        (0, 9, False),  # one answer too few
        (0, 10, True),
        (13, 7, True),  # 65 % of 20
        (14, 6, False),
        (100, 7, True),  # of the last 20 alone
        (100, 6, False),
    ],
)
def test_comprehension_at_its_edges(cast: Cast, right: int, wrong: int, is_at_risk: bool) -> None:
    give(cast.learner, cast.track, right=right, wrong=wrong)
    look()
    assert reasons() == (["comprehension"] if is_at_risk else [])
    assert told() == reasons()


def test_partial_credit_counts_as_what_it_is(cast: Cast) -> None:
    give(cast.learner, cast.track, right=20, credit=Decimal("0.7"))
    give(cast.colleague, cast.track, right=19, credit=Decimal("0.7"))
    give(cast.colleague, cast.track, right=1, credit=Decimal("0.6999"))
    look()
    [episode] = AtRiskEpisode.objects.present()
    assert (episode.learner, episode.share) == (cast.colleague, Decimal("69.99"))


def test_what_the_manager_reads_of_comprehension(cast: Cast) -> None:
    give(cast.learner, cast.track, right=2, wrong=9)
    assert look() == "Found 1 at risk and 0 recovered; told the managers of 1."
    [row] = ManagerNotification.objects.filter(type="at_risk")
    assert (row.manager, row.learner) == (cast.manager, cast.learner)
    assert row.content == {
        "learnerName": "Maya Lindqvist",
        "trackId": str(cast.track.id),
        "trackTitle": "Fire Safety Fundamentals",
        "reason": "comprehension",
        "share": 18.18,
        "answers": 11,
        "threshold": 70,
    }


def test_each_track_is_judged_alone(cast: Cast) -> None:
    other = make_track(None)
    give(cast.learner, cast.track, right=5, wrong=4)
    give(cast.learner, other, right=2, wrong=8)
    look()
    assert present() == {(cast.learner, other, "comprehension")}


def test_the_order_of_arrival_decides_and_not_when_answers_were_given(cast: Cast) -> None:
    give(cast.learner, cast.track, wrong=20, on=5)
    give(cast.learner, cast.track, right=20, on=5, occurred_at=day(1))
    look(5)
    assert reasons() == []


def test_once_until_she_recovers_and_again_when_it_happens_anew(cast: Cast) -> None:
    give(cast.learner, cast.track, right=6, wrong=14)
    look(1)
    look(2)
    give(cast.learner, cast.track, wrong=1, on=2)
    assert look(3) == "Found 0 at risk and 0 recovered; told the managers of 0."
    [episode] = AtRiskEpisode.objects.present()
    assert (episode.share, episode.last_answer_at, episode.since) == (Decimal("25"), day(2), day(0))
    give(cast.learner, cast.track, right=13, on=3)
    look(4)
    assert reasons() == ["comprehension"]
    give(cast.learner, cast.track, right=1, on=4)
    assert look(5) == "Found 0 at risk and 1 recovered; told the managers of 0."
    assert reasons() == []
    give(cast.learner, cast.track, wrong=7, on=5)
    look(6)
    assert told() == ["comprehension", "comprehension"]
    assert AtRiskEpisode.objects.filter(ended_at=day(5)).count() == 1


# -- silence --


def test_silence_at_its_edge(cast: Cast) -> None:
    give(cast.learner, cast.track, right=1)
    look(7 - 1e-9)
    assert reasons() == []
    look(7)
    assert told() == reasons() == ["silence"]
    [row] = ManagerNotification.objects.filter(type="at_risk")
    assert row.content["lastAnswerAt"] == rfc3339(day(0))
    assert (row.content["days"], row.content["trackTitle"]) == (7, cast.track.title)
    assert AtRiskEpisode.objects.get().since == day(7)


def test_who_was_silent_and_answers_has_recovered_and_may_fall_silent_again(cast: Cast) -> None:
    give(cast.learner, cast.track, right=1)
    look(8)
    look(9)
    give(cast.learner, cast.track, right=1, on=9)
    look(10)
    assert (reasons(), told()) == ([], ["silence"])
    look(16)
    assert (reasons(), told()) == (["silence"], ["silence", "silence"])


def test_days_that_the_job_missed_are_caught_up(cast: Cast) -> None:
    give(cast.learner, cast.track, right=1)
    look(7)
    give(cast.learner, cast.track, right=1, on=8)
    # Nobody looked while she was there: what is now is told as what is new, with its own beginning.
    assert look(40) == "Found 1 at risk and 1 recovered; told the managers of 1."
    assert told() == ["silence", "silence"]
    assert AtRiskEpisode.objects.present().get().since == day(15)
    assert ManagerNotification.objects.order_by("sent_at").last().content["days"] == 32  # type: ignore[union-attr]


def test_an_answer_counts_for_the_day_on_which_it_was_given(cast: Cast) -> None:
    give(cast.learner, cast.track, right=1, on=10, occurred_at=day(2))
    give(cast.learner, cast.track, right=1, on=10, occurred_at=day(1))
    look(8.9)
    assert reasons() == []
    look(10)
    assert AtRiskEpisode.objects.get().last_answer_at == day(2)


def test_both_reasons_are_told_each_once(cast: Cast) -> None:
    give(cast.learner, cast.track, wrong=10)
    look(1)
    look(8)
    look(9)
    assert told(cast.manager) == ["comprehension", "silence"]


# -- finished, and begun again --


def test_who_has_finished_is_not_silent_however_much_she_exercises(cast: Cast) -> None:
    with clock.moved_to(day(0)):
        complete(cast.learner, cast.track)
    give(cast.learner, cast.track, right=2, on=0)
    give(cast.learner, cast.track, right=2, on=3)
    look(30)
    assert reasons() == []


def test_finishing_ends_the_silence(cast: Cast) -> None:
    give(cast.learner, cast.track, right=1)
    look(8)
    assert reasons() == ["silence"]
    with clock.moved_to(day(8)):
        complete_outside(cast.learner, cast.track, actor=ACTOR)
    look(9)
    assert reasons() == []


def test_finished_while_certificates_were_off_is_finished(cast: Cast) -> None:
    set_toggle(Feature.CERTIFICATES, cast.organization.id, False, actor=ACTOR, reason="x")
    with clock.moved_to(day(0)):
        complete(cast.learner, cast.track)
    give(cast.learner, cast.track, right=1, on=1)
    look(30)
    assert reasons() == []


def test_who_begins_again_to_renew_is_silent_when_she_stops(cast: Cast) -> None:
    track = make_track(cast.organization, valid_months=12)
    with clock.moved_to(day(0)):
        complete(cast.learner, track)
    give(cast.learner, track, right=1, on=200)
    look(300)  # due for renewal since the 275th day, and not begun
    assert reasons() == []
    give(cast.learner, track, right=1, on=300)
    look(306)
    assert reasons() == []
    look(307)
    assert reasons() == ["silence"]
    with clock.moved_to(day(308)):
        complete(cast.learner, track)
    look(330)
    assert reasons() == []


def test_who_begins_again_after_a_revocation_is_silent_when_she_stops(cast: Cast) -> None:
    with clock.moved_to(day(0)):
        complete(cast.learner, cast.track)
    with clock.moved_to(day(10)):
        revoke(Certificate.objects.get().id, "x", actor=ACTOR)
    look(30)
    assert reasons() == []
    give(cast.learner, cast.track, right=1, on=30)
    look(37)
    assert reasons() == ["silence"]


def test_a_certificate_says_nothing_of_comprehension(cast: Cast) -> None:
    with clock.moved_to(day(0)):
        complete(cast.learner, cast.track)
    give(cast.learner, cast.track, wrong=6)
    look(30)
    assert reasons() == ["comprehension"]


def test_who_never_began_is_not_silent(cast: Cast) -> None:
    with clock.moved_to(day(0)):
        complete_outside(cast.learner, cast.track, actor=ACTOR)
    look(300)
    assert reasons() == []


# -- tracks that are over, and people who are away --


def test_a_track_without_items_puts_nobody_at_risk(cast: Cast) -> None:
    give(cast.learner, cast.track, wrong=10)
    look(8)
    assert reasons() == ["comprehension", "silence"]
    items = list(cast.track.items.all())
    for item in items:
        change_item(item.id, {"retired": True}, actor=ACTOR)
    look(9)
    assert reasons() == []
    change_item(items[0].id, {"retired": False}, actor=ACTOR)
    look(10)
    assert reasons() == ["comprehension", "silence"]


def test_who_is_away_is_not_shown_and_not_told_of_again(cast: Cast) -> None:
    def be(active: bool) -> None:
        change_person(cast.learner.id, {"active": active}, actor=ACTOR)

    give(cast.learner, cast.track, right=1)
    look(7)
    be(active=False)
    look(8)
    assert reasons() == []
    be(active=True)
    look(9)
    assert (reasons(), told()) == (["silence"], ["silence"])


# -- each setting of an organization --


@pytest.mark.parametrize(
    ("right", "wrong", "rules", "expected"),
    [
        (8, 2, {"share": 80}, []),
        (8, 2, {"share": 81}, ["comprehension"]),
        (0, 10, {"share": 1}, ["comprehension"]),
        (19, 1, {"share": 100}, ["comprehension"]),
        (20, 0, {"share": 100}, []),
        (20, 4, {"answers": 10}, ["comprehension"]),
        (20, 4, {"answers": 14}, []),
        (40, 60, {"answers": 100}, ["comprehension"]),
        (71, 30, {"answers": 100}, []),
        (0, 4, {"leastAnswers": 5}, []),
        (0, 5, {"leastAnswers": 5}, ["comprehension"]),
        (0, 19, {"leastAnswers": 20}, []),
        (0, 1, {"answers": 1, "leastAnswers": 1}, ["comprehension"]),
        (0, 20, {"comprehension": False}, []),
    ],
)
def test_the_organizations_rules_of_comprehension(
    cast: Cast, right: int, wrong: int, rules: dict[str, Any], expected: list[str]
) -> None:
    set_rules(cast, **rules)
    give(cast.learner, cast.track, right=right, wrong=wrong)
    give(cast.outsider, cast.outside_track, right=right, wrong=wrong)
    look()
    ours = AtRiskEpisode.objects.present().for_organization(cast.organization.id)
    assert list(ours.values_list("reason", flat=True)) == expected


def test_the_organizations_days_of_silence(cast: Cast) -> None:
    set_rules(cast, days=3)
    give(cast.learner, cast.track, right=1)
    give(cast.outsider, cast.outside_track, right=1)
    look(2.9)
    assert reasons() == []
    look(3)
    assert present() == {(cast.learner, cast.track, "silence")}
    set_rules(cast, days=5)
    look(4)
    assert reasons() == []
    set_rules(cast, days=1, silence=False)
    look(6)
    assert reasons() == []
    set_rules(cast, silence=True)
    look(6)
    assert told(cast.manager) == ["silence", "silence"]


# -- levels from before they kept the latest answers --


def test_what_a_level_does_not_know_is_read_from_history_once(cast: Cast) -> None:
    other = make_track(None)
    give(cast.learner, cast.track, right=70, wrong=60, on=1)
    give(cast.learner, other, right=10, on=2, occurred_at=day(0))
    known = list(LearnerLevel.objects.order_by("track_id").values())
    assert max(len(row["latest_credits"]) for row in known) == 100
    LearnerLevel.objects.update(latest_credits=[], last_answer_at=None, remembered=0)
    LearnerLevel.objects.filter(track=other).update(remembered=4, latest_credits=[1, 2], last_answer_at=day(40))
    give(cast.learner, cast.track, wrong=1, on=3)
    assert LearnerLevel.objects.forgetful().count() == 2
    look(3)
    assert not LearnerLevel.objects.forgetful().exists()
    after = {row["track_id"]: row for row in LearnerLevel.objects.values()}
    assert after[cast.track.id]["latest_credits"] == [0] * 61 + [10_000] * 39
    assert after[cast.track.id]["last_answer_at"] == day(3)
    assert after[other.id] == next(row for row in known if row["track_id"] == other.id)
    assert present() == {(cast.learner, cast.track, "comprehension")}


def test_people_of_any_role_learn(cast: Cast) -> None:
    people = [cast.manager, cast.admin, cast.auditor]
    for person in people:
        give(person, cast.track, right=1)
    look(8)
    assert {learner for learner, _, _ in present()} == set(people)
    assert told() == []
