"""Completing a track closes a cycle, and closing a cycle issues the certificate."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply.accounts.models import User
from cerply.permissions import Actor
from cerply.tracks.models import Track
from certificates.issuing import Achievement, in_force, is_withheld, issue
from certificates.models import Certificate, Source
from gamification.awarding import Awarder, badge_milestone, write_awards
from gamification.models import Completion, LearnerLevel, LearnerStanding
from notifications.milestones import Milestone, announce
from notifications.models import NotificationType
from ops.features import Feature, decisions


def close_cycles(completions: Sequence[Completion], *, certifying: bool, actor: Actor) -> list[Certificate]:
    """Stores the completions, and issues their certificates; owed, where they are off, or the present one suspended."""
    issued: list[Certificate] = []
    if certifying and completions:
        # What is owed from before is settled by the same certificate: should it be revoked, nothing may bring it back.
        before = _owed_with(completions)
        issued = _certify([*before, *completions], actor=actor)
        Completion.objects.bulk_update(before, ["certificate", "certificate_due"])
    else:
        for completion in completions:
            completion.certificate_due = True
    Completion.objects.bulk_create(completions)
    return issued


def certify_completions(completions: Sequence[Completion], *, actor: Actor) -> list[Certificate]:
    """Issues what completions of one organization have earned, and links them with what their learners now hold.

    The caller holds the learners' locks.
    """
    issued = _certify(completions, actor=actor)
    Completion.objects.bulk_update(completions, ["certificate", "certificate_due"])
    return issued


def _owed_with(completions: Sequence[Completion]) -> list[Completion]:
    """Earlier completions of the same learners and tracks that are still owed a certificate."""
    pairs = {(completion.learner_id, completion.track_id) for completion in completions}
    owed = Completion.objects.owed_a_certificate().select_related("learner", "track")
    found = owed.filter(learner_id__in={learner for learner, _ in pairs}, track_id__in={track for _, track in pairs})
    return [completion for completion in found if (completion.learner_id, completion.track_id) in pairs]


def _certify(completions: Sequence[Completion], *, actor: Actor) -> list[Certificate]:
    """The new certificates; of a learner and track the first completion is certified. Fills in what each one got."""
    first: dict[tuple[UUID, UUID], Completion] = {}
    for completion in completions:
        first.setdefault((completion.learner_id, completion.track_id), completion)
    achievements = [Achievement(done.learner, done.track, Source(done.source)) for done in first.values()]
    issued = issue(achievements, actor=actor)
    held = in_force(first)
    for completion in completions:
        completion.certificate = held.get((completion.learner_id, completion.track_id))
        completion.certificate_due = is_withheld(completion.certificate)
    return issued


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
    completion = Completion(
        organization_id=learner.member_of, learner=learner, track=track, cycle=level.cycle, source=Source.OUTSIDE
    )
    issued = close_cycles([completion], certifying=on[Feature.CERTIFICATES], actor=actor)
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
    awarder = Awarder.of({learner.id: standing}, awarding=on[Feature.GAMIFICATION])
    badges = write_awards(awarder.completed(learner, completion), actor=actor)
    awarder.store(standing)
    standing.save(update_fields=["tracks_completed", "badges_due"])
    announce([*map(certificate_milestone, issued), *map(badge_milestone, badges)])
    return completion
