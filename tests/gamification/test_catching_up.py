"""What was earned before a badge existed, or while a feature was off."""

import signal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from audit import kpis
from cerply.accounts.models import User
from certificates.models import Certificate
from gamification import catchup
from gamification.models import (
    Attempt,
    Badge,
    BadgeRule,
    Completion,
    LearnerBadge,
    LearnerLevel,
    LearnerStanding,
    RuleKind,
)
from gamification.revising import save_badge
from notifications.models import ManagerNotification
from ops.features import Feature, set_toggle
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, give_answers, make_cast, make_user
from tests.processes import run_python


def award_badges(**options: Any) -> str:
    output = StringIO()
    call_command("award_badges", stdout=output, **options)
    return output.getvalue()


def new_badge(slug: str = "dozen", **criteria: Any) -> Badge:
    badge = Badge(slug=slug, name=slug.title(), description="New.", icon="✨")
    save_badge(badge, BadgeRule(**({"kind": RuleKind.CORRECT_ANSWERS, "count": 12} | criteria)), actor=ACTOR)
    return badge


def earned(learner: User) -> set[str]:
    return set(LearnerBadge.objects.filter(learner=learner).values_list("badge__slug", flat=True))


def test_history_earns_a_new_badge_at_the_answer_that_met_it(cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 15)
    give_answers(cast.colleague, cast.track, 11)
    badge = new_badge()
    told = ManagerNotification.objects.count()
    assert award_badges() == "Awarded 1 badges to 2 learners with a history.\n"
    award = LearnerBadge.objects.get(badge=badge)
    twelfth = Attempt.objects.get(learner=cast.learner, sequence=12)
    assert (award.learner, award.earned_at) == (cast.learner, twelfth.recorded_at)
    assert award.evidence["attemptId"] == str(twelfth.id)
    assert ManagerNotification.objects.count() == told
    assert award_badges() == "Awarded 0 badges to 2 learners with a history.\n"


@pytest.mark.parametrize(
    "criteria",
    [
        {"kind": RuleKind.STREAK, "count": 4},
        {"kind": RuleKind.SPEED, "count": 4, "under_ms": 700},
        {"kind": RuleKind.LEVEL_REACHED, "count": None, "level": "learner"},
        {"kind": RuleKind.DAILY_STREAK, "count": 1},
        {"kind": RuleKind.TRACKS_COMPLETED, "count": 1},
    ],
)
def test_every_kind_catches_up(cast: Cast, criteria: dict[str, Any]) -> None:
    give_answers(cast.learner, cast.track, 25, response_ms=600)
    complete(cast.learner, cast.track)
    badge = new_badge(**criteria)
    award_badges(badge=badge.slug)
    assert badge.slug in earned(cast.learner)


def test_one_badge_alone_and_a_dry_run(cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 15)
    new_badge("one")
    new_badge("two")
    assert award_badges(dry_run=True).startswith("Would award 2 badges")
    assert award_badges(badge="one").startswith("Awarded 1 badges")
    assert earned(cast.learner) == {"first-steps", "one"}
    with pytest.raises(CommandError, match="no badge 'three'"):
        award_badges(badge="three")


def test_off_nothing_is_awarded_issued_or_told_and_answers_are_kept(api: Api, cast: Cast) -> None:
    for feature in Feature:
        set_toggle(feature, cast.organization.id, False, actor=ACTOR, reason="Not yet.")
    outcome = give_answers(cast.learner, cast.track, 25, response_ms=10)
    assert (outcome.badges, outcome.certificates, outcome.level_changes) == ([], [], [])
    assert complete(cast.learner, cast.track).certificates == []
    assert not LearnerBadge.objects.exists()
    assert not Certificate.objects.exists()
    assert not ManagerNotification.objects.exists()
    assert LearnerLevel.objects.get().level == "learner"
    assert kpis.totals()["levels_changed"] == 1
    for path in ("levels", "badges", f"level/{cast.track.id}"):
        answer = api.get(f"/learners/{cast.learner.id}/{path}", by=cast.learner)
        assert (answer.status, answer.body["error"]["message"]) == (404, "Feature not enabled")


def test_switching_on_catches_up_without_notifying(cast: Cast) -> None:
    for feature in Feature:
        set_toggle(feature, cast.organization.id, False, actor=ACTOR, reason="Not yet.")
    give_answers(cast.learner, cast.track, 25, response_ms=10)
    complete(cast.learner, cast.track)
    give_answers(cast.colleague, cast.track, 1)
    for feature in Feature:
        set_toggle(feature, cast.organization.id, True, actor=ACTOR, reason="Now.")
    catchup.resume()
    assert earned(cast.learner) == {"first-steps", "speed-demon", "perfectionist"}
    assert earned(cast.colleague) == {"first-steps"}
    certificate = Certificate.objects.get()
    assert Completion.objects.get().certificate == certificate
    assert not LearnerStanding.objects.owed_badges().exists()
    assert not Completion.objects.owed_a_certificate().exists()
    assert not ManagerNotification.objects.exists()
    catchup.resume()
    assert LearnerBadge.objects.count() == 4


def test_the_switch_for_everyone_is_noticed(cast: Cast, settings: Settings) -> None:
    settings.FEATURE_SWITCHES = dict.fromkeys(Feature.values, False)
    catchup.resume()
    give_answers(cast.learner, cast.track, 1)
    assert earned(cast.learner) == set()
    settings.FEATURE_SWITCHES = dict.fromkeys(Feature.values, True)
    catchup.resume()
    assert earned(cast.learner) == {"first-steps"}


KILLED_IN_THE_MIDDLE = """
from django.core.management import call_command
from gamification.management.commands import award_badges
def die(self, done, total):
    if done == 5:
        os.kill(os.getpid(), signal.SIGKILL)
award_badges.Command.show_progress = die
call_command("award_badges")
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_it_goes_on_where_it_was() -> None:
    cast = make_cast()
    learners = [make_user(cast.organization) for _ in range(9)]
    for learner in learners:
        give_answers(learner, cast.track, 12)
    new_badge()
    assert run_python(KILLED_IN_THE_MIDDLE).returncode == -signal.SIGKILL
    assert LearnerBadge.objects.filter(badge__slug="dozen").count() == 5
    assert award_badges().startswith("Awarded 4 badges")
    assert LearnerBadge.objects.filter(badge__slug="dozen").count() == 9
    assert kpis.totals()["badges_awarded"] == LearnerBadge.objects.count()
