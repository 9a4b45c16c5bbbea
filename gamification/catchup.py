"""Catching up: awarding and issuing what was earned before a badge existed, or while a feature was off.

What is owed says so in its own row, written with what earned it; settling a row takes the debt from it. So nothing is
forgotten, whoever recorded it and whatever that process took the switches to be. A learner at a time, each in a
transaction of her own, so that it may be interrupted and run again. Nobody is notified.
"""

import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from cerply.accounts.models import User
from cerply.permissions import Actor
from cerply.tenancy import TenantQuerySet
from gamification.awarding import Award, Awarder, write_awards
from gamification.completing import certify_completions
from gamification.levels import level_of
from gamification.models import Attempt, Completion, LearnerStanding, Share
from ops.features import Feature, decisions, is_on, notice_changes, switched_on

logger = logging.getLogger(__name__)

CHUNK = 2000
ACTOR = Actor.system("catch_up_features")
# The job is due every 5 minutes; what is left then is for the next run.
BUDGET = timedelta(minutes=4)


class StandingsToCatchUp:
    """Everybody who has done something, in id order."""

    def __init__(self) -> None:
        self.standings = LearnerStanding.objects.order_by("learner_id").select_related("learner")

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
    awards = _earned_by(learner, awarder) if awarder.pending[learner.id] else []
    if dry_run:
        return awards
    write_awards(awards, actor=actor)
    if standing.badges_due and not slugs:
        standing.badges_due = False
        standing.save(update_fields=["badges_due"])
    return awards


def _earned_by(learner: User, awarder: Awarder) -> list[Award]:
    """What each event of her history met, at the time at which it was recorded."""
    tally = awarder.tallies[learner.id]
    awards: list[Award] = []
    credit: dict[UUID, Decimal] = defaultdict(Decimal)
    for attempt in Attempt.objects.filter(learner=learner).select_related("item").iterator(chunk_size=CHUNK):
        track_id = attempt.item.track_id
        credit[track_id] += attempt.credit
        tally.levels[track_id] = level_of(credit[track_id])
        tally.observe(correct=attempt.is_correct, response_ms=attempt.response_ms, day=attempt.local_day)
        awards += awarder.answered(learner, attempt, track_id)
    for share in Share.objects.counted().filter(learner=learner).iterator(chunk_size=CHUNK):
        awards += awarder.shared(learner, share)
    for completion in Completion.objects.filter(learner=learner, cycle=1).iterator(chunk_size=CHUNK):
        awards += awarder.completed(learner, completion)
    return awards


@transaction.atomic
def issue_owed(learner: User, *, actor: Actor) -> int:
    """Issues the certificates of tracks that she completed while certificates were off. Returns how many."""
    LearnerStanding.objects.lock([learner])
    owed = list(Completion.objects.filter(learner=learner).owed_a_certificate().select_related("learner", "track"))
    if not owed or not decisions(learner.member_of)[Feature.CERTIFICATES].on:
        return 0
    return len(certify_completions(owed, actor=actor))


DEBTS: dict[Feature, Callable[..., object]] = {
    Feature.GAMIFICATION: award_missing,
    Feature.CERTIFICATES: issue_owed,
}


class CatchUpFailed(Exception):
    """Some learners could not be caught up; what they are owed is still owed."""


def resume(budget: timedelta = BUDGET) -> str:
    """The job: settles what is owed wherever the feature is on now, for as long as the budget lasts.

    A learner who fails keeps nobody waiting: `CatchUpFailed` is raised when the others are done.
    """
    notice_changes()
    run = Run(budget)
    creditors = [(feature, key) for feature in DEBTS for key in _creditors(feature)]
    # In another order each time, so that one where many fail does not use up the time of the same others again.
    random.shuffle(creditors)
    for feature, organization_id in creditors:
        run.work_off(feature, organization_id)
    if run.failed:
        raise CatchUpFailed(
            f"Caught up {run.done} learners; {len(run.failed)} failed and stay owed, the first is {run.failed[0]}. "
            "The log says why."
        )
    return f"Caught up {run.done} learners." + (" Time is up, the next run goes on." if run.is_over else "")


class Run:
    """One run of the job, within its time. Others may be at work on the same debts: each learner is settled once."""

    def __init__(self, budget: timedelta) -> None:
        self.until = time.monotonic() + budget.total_seconds()
        self.done = 0
        self.failed: list[UUID] = []

    @property
    def is_over(self) -> bool:
        """Not before something was done, so that every run gets a little further."""
        return bool(self.done or self.failed) and time.monotonic() >= self.until

    def work_off(self, feature: Feature, organization_id: UUID) -> None:
        owed = _owed(feature).for_organization(organization_id).order_by("learner_id")
        page = list(owed.values_list("learner_id", flat=True).distinct()[:CHUNK])
        while page:
            for learner_id in page:
                if self.is_over:
                    return
                self._settle(feature, learner_id)
            after = owed.filter(learner_id__gt=page[-1])
            page = list(after.values_list("learner_id", flat=True).distinct()[:CHUNK])

    def _settle(self, feature: Feature, learner_id: UUID) -> None:
        try:
            with transaction.atomic():
                standing = LearnerStanding.objects.claim(learner_id)
                if standing is None or not _owed(feature).filter(learner=learner_id).exists():
                    return
                DEBTS[feature](standing.learner, actor=ACTOR)
        except Exception:
            if not connection.is_usable():
                raise
            logger.exception("learner %s could not be caught up on %s", learner_id, feature)
            self.failed.append(learner_id)
        else:
            self.done += 1


def _owed(feature: Feature) -> TenantQuerySet[Any]:
    if feature is Feature.GAMIFICATION:
        return LearnerStanding.objects.owed_badges()
    return Completion.objects.owed_a_certificate()


def _creditors(feature: Feature) -> list[UUID]:
    """The open organizations to which something is owed and in which the feature is on."""
    if not switched_on(feature):
        return []
    owed = _owed(feature).filter(organization__closed_at=None).order_by()
    keys = owed.values_list("organization_id", flat=True).distinct()
    return [key for key in keys if is_on(feature, key)]
