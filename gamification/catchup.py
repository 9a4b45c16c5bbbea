"""Catching up: awarding and issuing what was earned before a badge existed, or while a feature was off.

A learner at a time, each in a transaction of her own, so that it may be interrupted and run again. Nobody is notified.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from cerply.accounts.models import User
from cerply.permissions import Actor
from gamification.awarding import Award, Awarder, write_awards
from gamification.completing import certify_completions
from gamification.levels import level_of
from gamification.models import Attempt, Completion, LearnerStanding, Share
from gamification.rules import Tally, speed_limits
from ops.features import Feature, decisions, notice_changes, pending_catch_ups
from ops.models import FeatureCatchUp

CHUNK = 2000


class StandingsToCatchUp:
    """Everybody who has done something, in id order; of one organization, and after a learner, where they are named."""

    def __init__(self, organization_id: UUID | None = None, after: UUID | None = None) -> None:
        standings = LearnerStanding.objects.order_by("learner_id").select_related("learner")
        if organization_id:
            standings = standings.for_organization(organization_id)
        if after:
            standings = standings.filter(learner_id__gt=after)
        self.standings = standings

    def __len__(self) -> int:
        return self.standings.count()

    def __iter__(self) -> Iterator[User]:
        for standing in self.standings.iterator(chunk_size=CHUNK):
            yield standing.learner


@transaction.atomic
def award_missing(learner: User, *, actor: Actor, slugs: Sequence[str] = (), dry_run: bool = False) -> list[Award]:
    """Awards what her history has earned by the current rules, in order of arrival, unless badges are off for her."""
    standing = LearnerStanding.objects.lock([learner])[learner.id]
    if not decisions(learner.member_of)[Feature.GAMIFICATION].on:
        return []
    awarder = Awarder([learner.id])
    if slugs:
        awarder.pending[learner.id] = [rule for rule in awarder.pending[learner.id] if rule.badge.slug in slugs]
    if not awarder.pending[learner.id] or not (standing.sequence or standing.shares or standing.tracks_completed):
        return []
    awards = _earned_by(learner, awarder)
    if not dry_run:
        write_awards(awards, actor=actor)
    return awards


def _earned_by(learner: User, awarder: Awarder) -> list[Award]:
    """What each event of her history met, at the time at which it was recorded."""
    tally = Tally(speed_runs=dict.fromkeys(speed_limits(awarder.rules), 0))
    awards: list[Award] = []
    credit: dict[UUID, Decimal] = defaultdict(Decimal)
    for attempt in Attempt.objects.filter(learner=learner).select_related("item").iterator(chunk_size=CHUNK):
        track_id = attempt.item.track_id
        credit[track_id] += attempt.credit
        tally.levels[track_id] = level_of(credit[track_id])
        tally.observe(correct=attempt.is_correct, response_ms=attempt.response_ms, day=attempt.local_day)
        evidence = {"attemptId": str(attempt.id), "trackId": str(track_id)}
        awards += awarder.check(learner, tally, attempt.recorded_at, evidence)
    for shared in Share.objects.filter(learner=learner).iterator(chunk_size=CHUNK):
        tally.shares += 1
        evidence = {"shareId": str(shared.id), "artefactId": shared.artefact_id}
        awards += awarder.check(learner, tally, shared.recorded_at, evidence)
    for completion in Completion.objects.filter(learner=learner, cycle=1).iterator(chunk_size=CHUNK):
        tally.tracks_completed += 1
        evidence = {"completionId": str(completion.id), "trackId": str(completion.track_id)}
        awards += awarder.check(learner, tally, completion.completed_at, evidence)
    return awards


@transaction.atomic
def issue_owed(learner: User, *, actor: Actor) -> int:
    """Issues the certificates of tracks that she completed while certificates were off. Returns how many."""
    LearnerStanding.objects.lock([learner])
    owed = list(Completion.objects.filter(learner=learner).owed_a_certificate().select_related("learner", "track"))
    if not owed or not decisions(learner.member_of)[Feature.CERTIFICATES].on:
        return 0
    return len(certify_completions(owed, actor=actor))


def resume() -> str:
    """The job: works off what switching features on has left to be caught up. Goes on where it was interrupted."""
    notice_changes()
    learners = 0
    for feature in Feature:
        for owed in pending_catch_ups(feature):
            learners += _work_off(owed, feature)
    return f"Caught up {learners} learners."


def _work_off(owed: FeatureCatchUp, feature: Feature) -> int:
    actor = Actor.system("catch_up_features")
    done = 0
    if feature is not Feature.MANAGER_NOTIFICATIONS:
        after = UUID(owed.cursor) if owed.cursor else None
        for learner in StandingsToCatchUp(owed.organization_id, after):
            if feature is Feature.GAMIFICATION:
                award_missing(learner, actor=actor)
            else:
                issue_owed(learner, actor=actor)
            owed.advance(str(learner.id))
            done += 1
    owed.finish()
    return done
