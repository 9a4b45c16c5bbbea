"""New answers, folded one by one onto where their learners stand.

Everything is read before the first answer and written after the last, in sets; in between, nothing but memory.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Count

from cerply import clock
from cerply.accounts.models import User
from cerply.tracks.models import CertifiesFrom, Item, Track
from certificates.models import Source
from gamification.answers import Answer
from gamification.awarding import Award, Awarder
from gamification.levels import Level, level_of
from gamification.models import Attempt, Completion, LearnerDay, LearnerItem, LearnerLevel, LearnerStanding

type Pair = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class LevelChange:
    """The attempt that it came with identifies it."""

    learner: User
    track: Track
    previous: Level
    new: Level
    correct_attempts: int
    attempt: Attempt


@dataclass(slots=True)
class Cycle:
    """How many of a track's active items a learner has answered correctly in the open cycle."""

    answered: int = 0
    by_system: int = 0


class Fold:
    """Takes answers in order of arrival; the learners' standings are locked by the caller."""

    def __init__(self, answers: Sequence[Answer], standings: Mapping[UUID, LearnerStanding], *, awarding: bool) -> None:
        self.now = clock.now()
        self.standings = standings
        learner_ids = list(standings)
        track_ids = {answer.track.id for answer in answers}
        self.levels = self._read_levels(answers, learner_ids, track_ids)
        self.active: dict[UUID, set[UUID]] = defaultdict(set)
        self.takes_any_answer: set[UUID] = set()
        # Read again under the lock: who waited for it goes by what has been committed meanwhile.
        items = Item.objects.active().filter(track_id__in=track_ids)
        for track_id, item_id, certifies_from in items.values_list("track_id", "id", "track__certifies_from"):
            self.active[track_id].add(item_id)
            if certifies_from == CertifiesFrom.ANY:
                self.takes_any_answer.add(track_id)
        self.cycles = self._read_cycles(learner_ids, track_ids)
        touched = LearnerItem.objects.filter(
            learner_id__in=learner_ids, item_id__in={answer.item.id for answer in answers}
        )
        self.items: dict[Pair, LearnerItem] = {(row.learner_id, row.item_id): row for row in touched}
        days: dict[UUID, set[date]] = defaultdict(set)
        for answer in answers:
            days[answer.learner.id].add(answer.local_day(self.now))
        self.days = days
        self.awarder = Awarder.of(standings, days, awarding=awarding)
        self.tallies = self.awarder.tallies
        for (learner_id, track_id), level in self.levels.items():
            self.tallies[learner_id].levels[track_id] = Level(level.level)
        self.attempts: list[Attempt] = []
        self.changed_items: dict[Pair, LearnerItem] = {}
        self.level_changes: list[LevelChange] = []
        self.completions: list[Completion] = []
        self.awards: list[Award] = []

    def _read_levels(
        self, answers: Sequence[Answer], learner_ids: list[UUID], track_ids: set[UUID]
    ) -> dict[Pair, LearnerLevel]:
        known = LearnerLevel.objects.filter(learner_id__in=learner_ids, track_id__in=track_ids)
        levels = {(level.learner_id, level.track_id): level for level in known}
        for answer in answers:
            levels.setdefault(
                (answer.learner.id, answer.track.id),
                LearnerLevel(learner=answer.learner, track=answer.track, organization_id=answer.learner.member_of),
            )
        return levels

    def _read_cycles(self, learner_ids: list[UUID], track_ids: set[UUID]) -> dict[Pair, Cycle]:
        cycles: dict[Pair, Cycle] = defaultdict(Cycle)
        counts = (
            LearnerItem.objects.filter(learner_id__in=learner_ids, track_id__in=track_ids, item__retired_at=None)
            .values_list("learner_id", "track_id", "cycle", "source")
            .annotate(items=Count("*"))
        )
        for learner_id, track_id, cycle, source, items in counts:
            level = self.levels.get((learner_id, track_id))
            if level and level.cycle == cycle:
                counted = cycles[learner_id, track_id]
                counted.answered += items
                counted.by_system += items if source == Source.SYSTEM else 0
        return cycles

    def add(self, answer: Answer) -> None:
        """One more answer."""
        standing, tally = self.standings[answer.learner.id], self.tallies[answer.learner.id]
        standing.sequence += 1
        attempt = self._attempt(answer, standing.sequence)
        self.attempts.append(attempt)
        tally.observe(correct=answer.is_correct, response_ms=answer.response_ms, day=attempt.local_day)
        self._raise_level(answer, attempt)
        self.awards += self.awarder.answered(answer.learner, attempt, answer.track.id)
        if answer.is_correct and answer.item.id in self.active[answer.track.id]:
            self._complete(answer)

    def _attempt(self, answer: Answer, sequence: int) -> Attempt:
        return Attempt(
            organization_id=answer.learner.member_of,
            learner=answer.learner,
            item=answer.item,
            sequence=sequence,
            client_id=answer.client_id,
            fingerprint=answer.fingerprint if answer.client_id else None,
            credit=answer.credit,
            response_ms=answer.response_ms,
            occurred_at=answer.occurred_at or self.now,
            local_day=answer.local_day(self.now),
            source=answer.source,
            recorded_at=self.now,
        )

    def _raise_level(self, answer: Answer, attempt: Attempt) -> None:
        row = self.levels[answer.learner.id, answer.track.id]
        row.take(answer.credit, attempt.occurred_at)
        previous, new = Level(row.level), level_of(row.credit)
        if new != previous:
            row.level, row.leveled_up_at = new, self.now
            self.tallies[answer.learner.id].levels[answer.track.id] = new
            change = LevelChange(answer.learner, answer.track, previous, new, row.correct_attempts, attempt)
            self.level_changes.append(change)

    def _complete(self, answer: Answer) -> None:
        """Counts the item for the open cycle, and closes it when none is missing.

        The item is kept whether or not such answers count: the track may come to take any before the cycle is closed.
        """
        level = self.levels[answer.learner.id, answer.track.id]
        cycle = self.cycles[answer.learner.id, answer.track.id]
        key = (answer.learner.id, answer.item.id)
        known = self.items.get(key)
        before = known.source if known and known.cycle == level.cycle else None
        after = Source.SYSTEM if Source.SYSTEM in {before, answer.source} else Source.SELF
        if after != before:
            self.items[key] = self.changed_items[key] = LearnerItem(
                learner=answer.learner, item=answer.item, track=answer.track, cycle=level.cycle, source=after
            )
            cycle.answered += before is None
            cycle.by_system += after == Source.SYSTEM
        needed = len(self.active[answer.track.id])
        by_system = cycle.by_system >= needed
        if by_system or (cycle.answered >= needed and answer.track.id in self.takes_any_answer):
            completion = Completion(
                organization_id=answer.learner.member_of,
                learner=answer.learner,
                track=answer.track,
                cycle=level.cycle,
                source=Source.SYSTEM if by_system else Source.SELF,
                completed_at=self.now,
            )
            self.completions.append(completion)
            self.awards += self.awarder.completed(answer.learner, completion)
            level.cycle += 1
            self.cycles[answer.learner.id, answer.track.id] = Cycle()

    def write(self) -> None:
        """Stores the attempts and where the learners stand now."""
        # In one order for everybody, so that two callers with the same client ids wait and do not deadlock.
        Attempt.objects.bulk_create(sorted(self.attempts, key=lambda attempt: (str(attempt.client_id), attempt.id)))
        LearnerLevel.objects.bulk_create(
            self.levels.values(),
            update_conflicts=True,
            unique_fields=["learner", "track"],
            update_fields=[
                "answers",
                "credit",
                "level",
                "leveled_up_at",
                "cycle",
                "latest_credits",
                "last_answer_at",
                "remembered",
            ],
        )
        LearnerItem.objects.bulk_create(
            self.changed_items.values(),
            update_conflicts=True,
            unique_fields=["learner", "item"],
            update_fields=["cycle", "source"],
        )
        LearnerDay.objects.bulk_create(
            [LearnerDay(learner_id=learner_id, day=day) for learner_id, days in self.days.items() for day in days],
            ignore_conflicts=True,
        )
        for standing in self.standings.values():
            self.awarder.store(standing)
        LearnerStanding.objects.bulk_create(
            self.standings.values(),
            update_conflicts=True,
            unique_fields=["learner"],
            update_fields=[
                "sequence",
                "correct_answers",
                "streak",
                "shares",
                "tracks_completed",
                "speed_runs",
                "badges_due",
            ],
        )
