"""The daily look run by many at once, beside answers, and killed in the middle: each learner is told of once."""

import signal

import pytest

from cerply.accounts.models import User
from gamification import at_risk
from gamification.models import AtRiskEpisode, LearnerLevel
from notifications.models import ManagerNotification
from tests.factories import Cast, give_answers, make_cast, make_team, make_track, make_user
from tests.gamification.at_risk import check_told_once
from tests.processes import run_python
from tests.threads import at_once

pytestmark = pytest.mark.slow

# Dies when something is done for the nth time, and what it has done in a transaction is not committed.
KILLED = """
from gamification import at_risk
from gamification.models import AtRiskEpisode
at_risk.LEARNERS = 4
done, calls = at_risk.{function}, []
def die(*args, **options):
    calls.append(args)
    outcome = done(*args, **options)
    if len(calls) == {times}:
        os.kill(os.getpid(), signal.SIGKILL)
    return outcome
at_risk.{function} = die
at_risk.find()
"""


def learners_at_risk(cast: Cast, number: int = 20) -> list[User]:
    learners = [make_user(cast.organization) for _ in range(number)]
    make_team(cast.organization, learners, [cast.manager])
    for learner in learners:
        give_answers(learner, cast.track, 10, correct=False)
    return learners


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("function", "times", "found", "told"),
    [
        # The cast comes first, which is two batches.
        ("_look", 5, 12, 8),  # between looking and telling
        ("_episode", 10, 8, 8),  # inside looking
        ("announce", 5, 12, 8),  # inside telling, when there are notifications
        ("_tell", 6, 16, 16),  # between two batches
        ("watch", 1, 0, 0),
    ],
)
def test_killed_in_the_middle_the_next_run_finishes(function: str, times: int, found: int, told: int) -> None:
    cast = make_cast()
    learners = learners_at_risk(cast)
    killed = run_python(KILLED.format(function=function, times=times))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert AtRiskEpisode.objects.count() == found
    assert ManagerNotification.objects.filter(type="at_risk").count() == told
    assert AtRiskEpisode.objects.filter(owed=True).count() == found - told
    at_risk.find()
    check_told_once(cast.manager, learners)


@pytest.mark.django_db(transaction=True)
def test_killed_while_it_reads_history_the_next_run_goes_on() -> None:
    cast = make_cast()
    learners = learners_at_risk(cast)
    LearnerLevel.objects.update(latest_credits=[], last_answer_at=None, remembered=0)
    killed = run_python(KILLED.format(function="_remember", times=5))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert LearnerLevel.objects.forgetful().count() == 8
    at_risk.find()
    assert not LearnerLevel.objects.forgetful().exists()
    check_told_once(cast.manager, learners)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_tell_of_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_risk, "LEARNERS", 3)
    cast = make_cast()
    learners = learners_at_risk(cast, 30)
    at_once([at_risk.find] * 4)
    check_told_once(cast.manager, learners)
    for learner in learners:
        give_answers(learner, cast.track, 20)
    at_once([at_risk.find] * 4)
    assert AtRiskEpisode.objects.open().count() == 0
    for learner in learners[:10]:
        give_answers(learner, cast.track, 20, correct=False)
    at_once([at_risk.find] * 4)
    assert AtRiskEpisode.objects.count() == ManagerNotification.objects.filter(type="at_risk").count() == 40


@pytest.mark.django_db(transaction=True)
def test_beside_answers_it_waits_for_none_and_misses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_risk, "LEARNERS", 3)
    cast = make_cast()
    learners = learners_at_risk(cast, 12)
    other = make_track(cast.organization)
    LearnerLevel.objects.update(latest_credits=[], last_answer_at=None, remembered=0)

    def answer(learner: User) -> None:
        for _ in range(3):
            give_answers(learner, other, 1)
            give_answers(learner, cast.track, 1, correct=False)

    answering = [lambda learner=learner: answer(learner) for learner in learners]
    at_once([at_risk.find, at_risk.find, *answering])
    at_risk.find()
    check_told_once(cast.manager, learners)
    assert set(LearnerLevel.objects.filter(track=cast.track).values_list("answers", "remembered")) == {(13, 13)}
    kept = LearnerLevel.objects.values_list("track_id", "latest_credits")
    assert {(track_id, tuple(credits_)) for track_id, credits_ in kept} == {
        (cast.track.id, (0,) * 13),
        (other.id, (10_000,) * 3),
    }
