"""What a rule counts, and when it is met.

The same `Tally` is kept answer by answer while answers arrive, and rebuilt from history when a badge catches up, so
that both award the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from gamification.levels import Level, is_at_least
from gamification.models import BadgeRule, LearnerStanding, RuleKind

ONE_DAY = timedelta(days=1)
# The other kinds are met by a share and by a completion, which are what is kept as evidence then.
MET_BY_ANSWERS = frozenset(RuleKind) - {RuleKind.SHARES, RuleKind.TRACKS_COMPLETED}


@dataclass
class Tally:
    """A learner's counters at one point of her history."""

    correct_answers: int = 0
    streak: int = 0
    shares: int = 0
    tracks_completed: int = 0
    # By speed limit in milliseconds: how many of the latest correct answers in a row were faster.
    speed_runs: dict[int, int] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)
    latest_day: date | None = None
    levels: dict[UUID, Level] = field(default_factory=dict)

    @classmethod
    def of(cls, standing: LearnerStanding) -> "Tally":
        return cls(
            correct_answers=standing.correct_answers,
            streak=standing.streak,
            shares=standing.shares,
            tracks_completed=standing.tracks_completed,
            speed_runs={int(limit): run for limit, run in standing.speed_runs.items()},
        )

    def store(self, standing: LearnerStanding) -> None:
        standing.correct_answers = self.correct_answers
        standing.streak = self.streak
        standing.shares = self.shares
        standing.tracks_completed = self.tracks_completed
        standing.speed_runs = {str(limit): run for limit, run in self.speed_runs.items()}

    def observe(self, *, correct: bool, response_ms: int | None, day: date) -> None:
        """One more answer, in order of arrival. A wrong answer does not touch the speed of the correct ones."""
        self.days.add(day)
        self.latest_day = day
        if not correct:
            self.streak = 0
            return
        self.correct_answers += 1
        self.streak += 1
        for limit, run in self.speed_runs.items():
            self.speed_runs[limit] = run + 1 if response_ms is not None and response_ms < limit else 0

    def current(self, rule: BadgeRule) -> int:
        """How far the rule is; it is met from `BadgeRule.target` on."""
        match rule.kind:
            case RuleKind.CORRECT_ANSWERS:
                return self.correct_answers
            case RuleKind.SPEED:
                return self.speed_runs.get(rule.under_ms or 0, 0)
            case RuleKind.STREAK:
                return self.streak
            case RuleKind.DAILY_STREAK:
                return run_of_days(self.days, self.latest_day, rule.target) if self.latest_day else 0
            case RuleKind.SHARES:
                return self.shares
            case RuleKind.TRACKS_COMPLETED:
                return self.tracks_completed
            case _:
                return int(self.has_reached(rule))

    def has_reached(self, rule: BadgeRule) -> bool:
        wanted = Level(rule.level)
        return any(
            is_at_least(level, wanted) for track_id, level in self.levels.items() if rule.track_id in {None, track_id}
        )

    def is_met(self, rule: BadgeRule) -> bool:
        return self.current(rule) >= rule.target

    def was_met(self, rule: BadgeRule) -> bool:
        """Before anything is observed: whether what is known already meets it, on whatever day."""
        if rule.kind == RuleKind.DAILY_STREAK:
            return longest_run(self.days) >= rule.target
        return self.is_met(rule)


def run_of_days(days: set[date], day: date, target: int) -> int:
    """How many days in a row, this one among them, are in the set; counted no further than ``target``."""
    run = 1
    for step in (-ONE_DAY, ONE_DAY):
        neighbour = day + step
        while run < target and neighbour in days:
            run += 1
            neighbour += step
    return run


def longest_run(days: Iterable[date]) -> int:
    """The longest run of days in a row."""
    best = run = 0
    previous: date | None = None
    for day in sorted(days):
        run = run + 1 if previous is not None and day - previous == ONE_DAY else 1
        best = max(best, run)
        previous = day
    return best


def current_rules() -> list[BadgeRule]:
    """The rules by which badges are awarded now."""
    return list(
        BadgeRule.objects.filter(superseded_at=None, badge__is_active=True)
        .select_related("badge")
        .order_by("badge__position", "badge__slug")
    )


def speed_limits(rules: Iterable[BadgeRule]) -> set[int]:
    return {rule.under_ms for rule in rules if rule.kind == RuleKind.SPEED and rule.under_ms}
