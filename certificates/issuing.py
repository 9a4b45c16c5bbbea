"""Issuing certificates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record_many
from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.permissions import Actor
from cerply.tracks.models import Track, TrackVersion
from cerply.tracks.versions import current_versions
from certificates.credentials import certify
from certificates.issuers import issuer_of
from certificates.models import Certificate, CertificateDesign, Source
from certificates.openbadges import EVIDENCE, Claim, achievement_of_track
from certificates.wording import language_of
from ops.wake import enqueue

type Pair = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Achievement:
    """A learner has completed a track; where the answers came from."""

    learner: User
    track: Track
    source: Source


def in_force(pairs: Iterable[Pair]) -> dict[Pair, Certificate]:
    """The standing certificate, expired or not, of each pair of learner and track that has one. One query."""
    wanted = set(pairs)
    if not wanted:
        return {}
    standing = Certificate.objects.standing().filter(
        learner_id__in={learner for learner, _ in wanted}, track_id__in={track for _, track in wanted}
    )
    found = {(certificate.learner_id, certificate.track_id): certificate for certificate in standing}
    return {pair: found[pair] for pair in wanted & found.keys()}


@transaction.atomic
def issue(achievements: Sequence[Achievement], *, actor: Actor) -> list[Certificate]:
    """Issues a certificate for each achievement, all of one organization; returns the new ones.

    Who holds a valid one gets no other; one that has expired is replaced. The caller holds the learners' locks, so that
    nobody else issues the same.
    """
    now = clock.now()
    held = in_force((achievement.learner.id, achievement.track.id) for achievement in achievements)
    valid = {
        pair for pair, certificate in held.items() if not (certificate.expires_at and certificate.expires_at <= now)
    }
    due = [given for given in achievements if (given.learner.id, given.track.id) not in valid]
    if not due:
        return []
    lapsed = [certificate.id for pair, certificate in held.items() if pair not in valid]
    Certificate.objects.filter(id__in=lapsed).update(replaced_at=now)
    [organization_id] = {given.learner.member_of for given in due}
    organization = Organization.objects.get(id=organization_id)
    design = CertificateDesign.objects.select_related("organization").current_of(organization_id)
    versions = current_versions(given.track for given in due)
    claims = [_claim(given, versions[given.track.id], now) for given in due]
    credentials = certify(issuer_of(organization), claims, actor=actor)
    certificates = [
        Certificate(
            id=credential.id,
            organization=organization,
            learner=given.learner,
            track=given.track,
            track_version=versions[given.track.id],
            credential=credential,
            organization_name=organization.name,
            learner_name=given.learner.name,
            track_title=versions[given.track.id].title,
            colour=design.printed_colour if design else organization.colour,
            logo=design.printed_logo if design else organization.logo.name or "",
            design=design,
            language=language_of(given.learner.locale),
            source=given.source,
            public_url=settings.PUBLIC_URL,
            issued_at=now,
        )
        for given, credential in zip(due, credentials, strict=True)
    ]
    Certificate.objects.bulk_create(certificates)
    record_many([_issued(certificate) for certificate in certificates], actor=actor)
    enqueue("certificates.rendering.render_owed")
    return certificates


def _claim(given: Achievement, version: TrackVersion, now: datetime) -> Claim:
    return Claim(
        learner_name=given.learner.name,
        achievement=achievement_of_track(version),
        narrative=EVIDENCE[given.source],
        genre=given.source,
        issued_at=now,
    )


def _issued(certificate: Certificate) -> Event:
    return Event(
        EventType.CERTIFICATE_ISSUED,
        certificate.organization_id,
        subject_kind="certificate",
        subject_id=certificate.id,
        metadata={
            "learnerId": str(certificate.learner_id),
            "trackId": str(certificate.track_id),
            "source": certificate.source,
            "keyId": str(certificate.credential.key_id),
            "trackVersion": certificate.track_version.number,
        },
    )
