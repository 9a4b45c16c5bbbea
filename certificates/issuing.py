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
from certificates.keys import signer_of
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


def pair_of(achievement: Achievement) -> Pair:
    return achievement.learner.id, achievement.track.id


def is_due(held: Certificate | None, moment: datetime) -> bool:
    """Whether completing the track issues a certificate to who holds this one, or none."""
    return held is None or (held.is_due_for_renewal(moment) and not held.suspended_at)


def is_withheld(held: Certificate | None) -> bool:
    """Whether a renewal must wait, for the certificate that would be renewed is suspended."""
    return held is not None and bool(held.suspended_at) and held.is_due_for_renewal(clock.now())


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

    Who holds one gets no other, until it is due for renewal: then its successor lasts from its end on, so that no time
    is lost, or from now on if it is over. What is suspended is not renewed. The caller holds the learners' locks, so
    that nobody else issues the same.
    """
    # As the signed document says it.
    now = clock.whole_second(clock.now())
    held = _held(achievements, now, actor)
    due = [given for given in achievements if is_due(held.get(pair_of(given)), now)]
    if not due:
        return []
    [organization_id] = {given.learner.member_of for given in due}
    organization = Organization.objects.get(id=organization_id)
    design = CertificateDesign.objects.select_related("organization").current_of(organization_id)
    versions = current_versions(given.track for given in due)
    claims = [_claim(given, versions[given.track.id], now, held.get(pair_of(given))) for given in due]
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
            expires_at=claim.valid_until,
            replaces=held.get(pair_of(given)),
        )
        for given, claim, credential in zip(due, claims, credentials, strict=True)
    ]
    _store(certificates)
    record_many([issued_event(certificate) for certificate in certificates], actor=actor)
    enqueue("certificates.rendering.render_owed")
    return certificates


def _held(achievements: Sequence[Achievement], moment: datetime, actor: Actor) -> dict[Pair, Certificate]:
    """What the learners hold; locked, as far as it is to be renewed, against being revoked or replaced meanwhile."""
    locked: set[UUID] = set()
    while True:
        held = in_force(map(pair_of, achievements))
        renewed = [certificate for certificate in held.values() if is_due(certificate, moment)]
        if locked.issuperset(certificate.id for certificate in renewed):
            return held
        # The key first, as who signs again has it.
        signer_of(renewed[0].organization_id, actor=actor)
        locked.update(certificate.id for certificate in Certificate.objects.locked(each.id for each in renewed))


def _store(certificates: Sequence[Certificate]) -> None:
    """Links those that are renewed with their successors; only then do these stand alone."""
    successors = {certificate.replaces_id: certificate for certificate in certificates if certificate.replaces_id}
    renewed = Certificate.objects.filter(id__in=successors)
    renewed.update(renewed_at=certificates[0].issued_at)
    Certificate.objects.bulk_create(certificates)
    for certificate in (rows := list(renewed)):
        certificate.replaced_by = successors[certificate.id]
    Certificate.objects.bulk_update(rows, ["replaced_by"])


def _claim(given: Achievement, version: TrackVersion, now: datetime, before: Certificate | None) -> Claim:
    begins = max(now, before.expires_at) if before and before.expires_at else now
    return Claim(
        learner_name=given.learner.name,
        learner_email=given.learner.email,
        achievement=achievement_of_track(version),
        narrative=EVIDENCE[given.source],
        genre=given.source,
        issued_at=now,
        valid_until=clock.months_after(begins, given.track.valid_months) if given.track.valid_months else None,
    )


def issued_event(certificate: Certificate) -> Event:
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
            **({"replaces": str(certificate.replaces_id)} if certificate.replaces_id else {}),
        },
    )
