"""Awarding badges: which rules a learner has just met, and writing them down."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from audit.models import EventType
from audit.recording import Event, record_many
from cerply.accounts.models import User
from cerply.permissions import Actor
from gamification.levels import Level
from gamification.models import (
    LARGEST_COUNT,
    Attempt,
    BadgeRule,
    Completion,
    LearnerBadge,
    LearnerDay,
    LearnerLevel,
    LearnerStanding,
    RuleKind,
    Share,
)
from gamification.rules import MET_BY_ANSWERS, Tally, current_rules, speed_limits
from notifications.milestones import Milestone
from notifications.models import NotificationType


@dataclass(frozen=True, slots=True)
class Award:
    """A rule that a learner has met, when, and by what."""

    learner: User
    rule: BadgeRule
    earned_at: datetime
    evidence: Mapping[str, Any]


class Awarder:
    """The current rules, for each learner those by which she can still earn something, and her tally.

    The tallies are empty, for a history that is gone through from its beginning.
    """

    def __init__(self, learner_ids: Collection[UUID], *, awarding: bool = True) -> None:
        self.awarding = awarding
        self.rules = current_rules()
        earned: dict[UUID, set[UUID]] = defaultdict(set)
        if awarding:
            held = LearnerBadge.objects.filter(learner_id__in=learner_ids)
            for learner_id, badge_id in held.values_list("learner_id", "badge_id"):
                earned[learner_id].add(badge_id)
        self.pending = {
            learner_id: [rule for rule in self.rules if awarding and rule.badge_id not in earned[learner_id]]
            for learner_id in learner_ids
        }
        self.tallies = {
            learner_id: Tally(speed_runs=dict.fromkeys(speed_limits(self.rules), 0)) for learner_id in learner_ids
        }

    @classmethod
    def of(
        cls,
        standings: Mapping[UUID, LearnerStanding],
        days: Mapping[UUID, Collection[date]] | None = None,
        *,
        awarding: bool,
    ) -> Self:
        """Goes on from where the learners stand; ``days`` are those of the answers to come."""
        awarder = cls(standings.keys(), awarding=awarding)
        awarder.tallies = tallies_of(standings, awarder.rules, days or {})
        awarder._leave_what_is_owed(standings)
        return awarder

    def _leave_what_is_owed(self, standings: Mapping[UUID, LearnerStanding]) -> None:
        """What was met while badges were off is for catching up to award: with what earned it, and in silence."""
        owed = {key for key, standing in standings.items() if standing.badges_due and self.pending[key]}
        if not owed:
            return
        levels = LearnerLevel.objects.filter(learner_id__in=owed).exclude(level=Level.NOVICE)
        for learner_id, track_id, level in levels.values_list("learner_id", "track_id", "level"):
            self.tallies[learner_id].levels[track_id] = Level(level)
        for learner_id in owed:
            tally = self.tallies[learner_id]
            self.pending[learner_id] = [rule for rule in self.pending[learner_id] if not tally.was_met(rule)]

    def answered(self, learner: User, attempt: Attempt, track_id: UUID) -> list[Award]:
        """What the answer, which the tally has observed, has met."""
        evidence = {"attemptId": str(attempt.id), "trackId": str(track_id)}
        return self._met(learner, MET_BY_ANSWERS, attempt.recorded_at, evidence)

    def shared(self, learner: User, share: Share) -> list[Award]:
        """One more artefact."""
        self.tallies[learner.id].shares += 1
        evidence = {"shareId": str(share.id), "artefactId": share.artefact_id}
        return self._met(learner, {RuleKind.SHARES}, share.recorded_at, evidence)

    def completed(self, learner: User, completion: Completion) -> list[Award]:
        """One more track; completing it again counts for nothing."""
        if completion.cycle > 1:
            return []
        self.tallies[learner.id].tracks_completed += 1
        evidence = {"completionId": str(completion.id), "trackId": str(completion.track_id)}
        return self._met(learner, {RuleKind.TRACKS_COMPLETED}, completion.completed_at, evidence)

    def store(self, standing: LearnerStanding) -> None:
        """Keeps her tally; and where badges are off, that she may be owed some."""
        self.tallies[standing.learner_id].store(standing)
        standing.badges_due |= not self.awarding

    def _met(
        self, learner: User, kinds: Collection[RuleKind], earned_at: datetime, evidence: Mapping[str, Any]
    ) -> list[Award]:
        """The rules of these kinds that the tally meets now. Each is given once."""
        tally = self.tallies[learner.id]
        met = [rule for rule in self.pending[learner.id] if rule.kind in kinds and tally.is_met(rule)]
        if not met:
            return []
        self.pending[learner.id] = [rule for rule in self.pending[learner.id] if rule not in met]
        return [
            Award(learner, rule, earned_at, {**evidence, "criteria": rule.values(), "current": tally.current(rule)})
            for rule in met
        ]


def tallies_of(
    standings: Mapping[UUID, LearnerStanding], rules: Sequence[BadgeRule], days: Mapping[UUID, Collection[date]]
) -> dict[UUID, Tally]:
    """The learners' counters, with what of their past bears on answers of these days. Mostly one query."""
    tallies = {learner_id: Tally.of(standing) for learner_id, standing in standings.items()}
    _add_speed_runs(tallies, standings, rules)
    reach = max((rule.target for rule in rules if rule.kind == RuleKind.DAILY_STREAK), default=0)
    touched = [day for some in days.values() for day in some]
    if reach and touched:
        near = (min(touched) - timedelta(days=reach), max(touched) + timedelta(days=reach))
        known = LearnerDay.objects.filter(learner_id__in=standings, day__range=near)
        for learner_id, day in known.values_list("learner_id", "day"):
            tallies[learner_id].days.add(day)
    return tallies


def _add_speed_runs(
    tallies: Mapping[UUID, Tally], standings: Mapping[UUID, LearnerStanding], rules: Sequence[BadgeRule]
) -> None:
    """Keeps a run for each limit that a rule asks for; one that is new begins with the latest correct answers."""
    for limit in speed_limits(rules):
        missing = [learner_id for learner_id, tally in tallies.items() if limit not in tally.speed_runs]
        for learner_id in missing:
            tallies[learner_id].speed_runs[limit] = 0
        with_past = [learner_id for learner_id in missing if standings[learner_id].sequence]
        if with_past:
            # The run is stored: it has to be long enough for any rule that is still to come.
            runs = Attempt.objects.fast_runs(with_past, under_ms=limit, count=LARGEST_COUNT[RuleKind.SPEED])
            for learner_id, run in runs.items():
                tallies[learner_id].speed_runs[limit] = run


def write_awards(awards: Iterable[Award], *, actor: Actor) -> list[LearnerBadge]:
    """Stores what was earned and audits it. The learners are locked, so nobody else awards the same."""
    badges = [
        LearnerBadge(
            organization_id=award.learner.member_of,
            learner=award.learner,
            badge=award.rule.badge,
            rule=award.rule,
            earned_at=award.earned_at,
            evidence=dict(award.evidence),
        )
        for award in awards
    ]
    LearnerBadge.objects.bulk_create(badges)
    record_many(
        [
            Event(
                EventType.BADGE_AWARDED,
                badge.organization_id,
                subject_kind="learner",
                subject_id=badge.learner_id,
                metadata={
                    "badge": badge.badge.slug,
                    "ruleVersion": badge.rule.version,
                    "learnerBadgeId": str(badge.id),
                },
            )
            for badge in badges
        ],
        actor=actor,
    )
    return badges


def badge_milestone(badge: LearnerBadge) -> Milestone:
    """What the managers hear of it."""
    return Milestone(
        NotificationType.BADGE,
        badge.learner,
        badge.id,
        {"badge": badge.badge.slug, "badgeName": badge.badge.name, "icon": badge.badge.icon},
    )
