"""What the tests of learners at risk have in common: days on which something is answered, and on which the job runs."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from cerply import clock
from cerply.accounts.models import User
from cerply.tracks.models import Track
from gamification import at_risk
from gamification.models import AtRiskEpisode
from notifications.models import ManagerNotification
from tests.factories import give_answers

START = datetime(2026, 9, 1, 9, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def give(learner: User, track: Track, *, right: int = 0, wrong: int = 0, on: float = 0, **fields: Any) -> None:
    """Answers to its first item on a day, the right ones first."""
    with clock.moved_to(day(on)):
        for correct, number in ((True, right), (False, wrong)):
            if number:
                give_answers(learner, track, number, correct=correct, **fields)


def look(on: float = 0) -> str:
    with clock.moved_to(day(on)):
        return at_risk.find()


def present() -> set[tuple[User, Track, str]]:
    return {(row.learner, row.track, row.reason) for row in AtRiskEpisode.objects.present()}


def reasons() -> list[str]:
    """Of all that is present."""
    return sorted(AtRiskEpisode.objects.present().values_list("reason", flat=True))


def told(manager: User | None = None) -> list[str]:
    """The reasons that managers were told, in their order."""
    rows = ManagerNotification.objects.filter(type="at_risk").order_by("sent_at", "id")
    return [row.content["reason"] for row in (rows.filter(manager=manager) if manager else rows)]


def check_told_once(manager: User, learners: Iterable[User]) -> None:
    """Of each of the learners one episode, and of each episode one notification."""
    ids = sorted(learner.id for learner in learners)
    assert sorted(AtRiskEpisode.objects.values_list("learner_id", flat=True)) == ids
    rows = ManagerNotification.objects.filter(type="at_risk", manager=manager)
    assert sorted(rows.values_list("learner_id", flat=True)) == ids
    assert set(rows.values_list("cause_id", flat=True)) == set(AtRiskEpisode.objects.values_list("id", flat=True))
    assert not AtRiskEpisode.objects.filter(owed=True).exists()
