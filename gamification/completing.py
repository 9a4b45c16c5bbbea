"""Completing a track closes a cycle, and closing a cycle issues the certificate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.accounts.models import User
from cerply.permissions import Actor
from cerply.tracks.models import Track
from certificates.issuing import Achievement, in_force, is_withheld, issue
from certificates.models import Certificate, Source
from gamification.awarding import Awarder, badge_milestone, tallies_of, write_awards
from gamification.models import Completion, LearnerLevel, LearnerStanding
from notifications.milestones import Milestone, announce
from notifications.models import NotificationType
from ops.features import Feature, decisions


@dataclass(frozen=True, slots=True)
class Closing:
    """A cycle that a learner has just completed."""

    learner: User
    track: Track
    cycle: int
    source: Source


def close_cycles(
    closings: Sequence[Closing], *, certifying: bool, actor: Actor
) -> tuple[list[Completion], list[Certificate]]:
    """Stores the completions, and issues their certificates; owed, where they are off, or the present one suspended."""
    if not closings:
        return [], []
    issued: list[Certificate] = []
    held: dict[tuple[UUID, UUID], Certificate] = {}
    if certifying:
        issued = issue(achievements(closings), actor=actor)
        held = in_force((closing.learner.id, closing.track.id) for closing in closings)
    completions = Completion.objects.bulk_create(
        Completion(
            organization_id=closing.learner.member_of,
            learner=closing.learner,
            track=closing.track,
            cycle=closing.cycle,
            source=closing.source,
            certificate=held.get((closing.learner.id, closing.track.id)),
            certificate_due=not certifying or is_withheld(held.get((closing.learner.id, closing.track.id))),
        )
        for closing in closings
    )
    return completions, issued


def certify_completions(completions: Sequence[Completion], *, actor: Actor) -> list[Certificate]:
    """Issues what completions of one organization have earned, and links them with what their learners now hold.

    The first one of a learner and track is the one that is certified. The caller holds the learners' locks.
    """
    closings = [Closing(row.learner, row.track, row.cycle, Source(row.source)) for row in completions]
    issued = issue(achievements(closings), actor=actor)
    held = in_force((row.learner_id, row.track_id) for row in completions)
    for row in completions:
        row.certificate = held.get((row.learner_id, row.track_id))
        row.certificate_due = is_withheld(row.certificate)
    Completion.objects.bulk_update(completions, ["certificate", "certificate_due"])
    return issued


def achievements(closings: Iterable[Closing]) -> list[Achievement]:
    """One for each learner and track: the first of her cycles that closed."""
    first: dict[tuple[UUID, UUID], Achievement] = {}
    for closing in closings:
        pair = (closing.learner.id, closing.track.id)
        first.setdefault(pair, Achievement(closing.learner, closing.track, closing.source))
    return list(first.values())


def certificate_milestone(certificate: Certificate) -> Milestone:
    """What the managers hear of it."""
    return Milestone(
        NotificationType.CERTIFICATE,
        certificate.learner,
        certificate.id,
        {
            "certificateId": str(certificate.id),
            "trackId": str(certificate.track_id),
            "trackTitle": certificate.track_title,
        },
    )


@transaction.atomic
def complete_outside(learner: User, track: Track, *, actor: Actor) -> Completion:
    """The learner completed the track outside of Cerply. Closes the open cycle, and says so on the certificate."""
    standing = LearnerStanding.objects.lock([learner])[learner.id]
    on = {feature: decision.on for feature, decision in decisions(learner.member_of).items()}
    level, _ = LearnerLevel.objects.get_or_create(
        learner=learner, track=track, defaults={"organization_id": learner.member_of}
    )
    closing = Closing(learner, track, level.cycle, Source.OUTSIDE)
    [completion], issued = close_cycles([closing], certifying=on[Feature.CERTIFICATES], actor=actor)
    if level.cycle == 1:
        standing.tracks_completed += 1
        standing.save(update_fields=["tracks_completed"])
    level.cycle += 1
    level.save(update_fields=["cycle"])
    record(
        Event(
            EventType.COMPLETION_RECORDED,
            learner.member_of,
            subject_kind="learner",
            subject_id=learner.id,
            metadata={"trackId": str(track.id), "completionId": str(completion.id), "source": Source.OUTSIDE},
        ),
        actor=actor,
    )
    awarder = Awarder([learner.id], awarding=on[Feature.GAMIFICATION])
    tally = tallies_of({learner.id: standing}, awarder.rules, {})[learner.id]
    awards = awarder.check(learner, tally, clock.now(), {"completionId": str(completion.id), "trackId": str(track.id)})
    badges = write_awards(awards, actor=actor)
    announce([*map(certificate_milestone, issued), *map(badge_milestone, badges)])
    return completion
