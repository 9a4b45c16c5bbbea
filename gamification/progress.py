"""Recording answers: the one function through which progress is made.

One transaction: it locks the learners concerned in id order, folds the new answers onto where they stand, and writes
what came of it. The number of queries depends neither on how many answers there are nor on how many came before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import IntegrityError, transaction

from audit.models import EventType
from audit.recording import Event, record_many
from cerply.errors import Conflict
from cerply.permissions import Actor
from cerply.tracks.models import Item
from certificates.models import Certificate
from gamification.answers import Answer
from gamification.awarding import badge_milestone, write_awards
from gamification.completing import certificate_milestone, close_cycles
from gamification.folding import Fold, LevelChange
from gamification.models import Attempt, LearnerBadge, LearnerStanding
from notifications.milestones import Milestone, announce
from notifications.models import NotificationType
from ops.features import Feature, decisions


class ItemsGone(Exception):
    """An item was deleted since it was looked up."""


@dataclass(slots=True)
class Recorded:
    """What came of it. The lists are empty for what is switched off."""

    recorded: int = 0
    duplicates: int = 0
    level_changes: list[LevelChange] = field(default_factory=list)
    badges: list[LearnerBadge] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)


@transaction.atomic
def record(answers: Sequence[Answer], *, actor: Actor) -> Recorded:
    """Records answers of learners of one organization, in their order, and all that follows from them.

    Raises `Conflict` when a client's id is known with other content, and `ItemsGone`; then nothing is recorded.
    """
    learners = {answer.learner.id: answer.learner for answer in answers}
    organization_id = _organization_of(answers)
    standings = LearnerStanding.objects.lock(list(learners.values()))
    fresh = _without_duplicates(answers, organization_id)
    outcome = Recorded(recorded=len(fresh), duplicates=len(answers) - len(fresh))
    if not fresh:
        return outcome
    item_ids = {answer.item.id for answer in fresh}
    if Item.objects.hold(item_ids) != item_ids:
        raise ItemsGone
    on = {feature: decision.on for feature, decision in decisions(organization_id).items()}
    fold = Fold(fresh, standings, awarding=on[Feature.GAMIFICATION])
    for answer in fresh:
        fold.add(answer)
    try:
        with transaction.atomic():
            fold.write()
    except IntegrityError as exc:
        if "attempts_client_id_counts_once" in str(exc):
            raise _known_with_other_content() from exc
        raise
    outcome.certificates = close_cycles(fold.completions, certifying=on[Feature.CERTIFICATES], actor=actor)
    badges = write_awards(fold.awards, actor=actor)
    record_many([_level_changed(change) for change in fold.level_changes], actor=actor)
    if on[Feature.GAMIFICATION]:
        outcome.level_changes, outcome.badges = fold.level_changes, badges
    announce(
        [
            *map(_level_up, outcome.level_changes),
            *map(badge_milestone, outcome.badges),
            *map(certificate_milestone, outcome.certificates),
        ]
    )
    return outcome


def _organization_of(answers: Iterable[Answer]) -> UUID:
    organizations = {answer.learner.member_of for answer in answers}
    if len(organizations) != 1:
        raise ValueError("Answers are recorded for the learners of one organization at a time.")
    return organizations.pop()


def _without_duplicates(answers: Sequence[Answer], organization_id: UUID) -> list[Answer]:
    """Those whose client id has not been seen; the same id with other content is a conflict."""
    client_ids = [answer.client_id for answer in answers if answer.client_id]
    if not client_ids:
        return list(answers)
    seen = Attempt.objects.for_organization(organization_id).fingerprints(client_ids)
    fresh = []
    for answer in answers:
        if answer.client_id is None:
            fresh.append(answer)
        elif answer.client_id not in seen:
            seen[answer.client_id] = answer.fingerprint
            fresh.append(answer)
        elif seen[answer.client_id] != answer.fingerprint:
            raise _known_with_other_content(answer.client_id)
    return fresh


def _known_with_other_content(client_id: UUID | None = None) -> Conflict:
    details = {"id": [str(client_id)]} if client_id else None
    return Conflict("An attempt with this id was recorded before, with other content.", details=details)


def _level_changed(change: LevelChange) -> Event:
    return Event(
        EventType.LEVEL_CHANGED,
        change.learner.member_of,
        subject_kind="learner",
        subject_id=change.learner.id,
        metadata={
            "trackId": str(change.track.id),
            "previousLevel": change.previous,
            "newLevel": change.new,
            "attemptId": str(change.attempt.id),
        },
    )


def _level_up(change: LevelChange) -> Milestone:
    return Milestone(
        NotificationType.LEVEL_UP,
        change.learner,
        change.attempt.id,
        {
            "trackId": str(change.track.id),
            "trackTitle": change.track.title,
            "previousLevel": change.previous,
            "newLevel": change.new,
            "correctAttempts": change.correct_attempts,
        },
    )
