"""Earned badges as Open Badges: the same kind of credential as a certificate's."""

from typing import Any

from django.conf import settings
from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record, record_many
from cerply.forgetting import Forgotten
from cerply.permissions import Actor
from certificates.credentials import certify
from certificates.erasing import erase_credentials
from certificates.issuers import issuer_of
from certificates.models import Credential
from certificates.openbadges import Claim
from gamification.models import BadgeCredential, BadgeRule, LearnerBadge

NARRATIVE = "Counted by Cerply from answers, shares and completions that were recorded."


def credential_of(award: LearnerBadge, *, actor: Actor) -> Credential:
    """The badge's credential, signed now where nobody has asked for it before."""
    known = BadgeCredential.objects.filter(award=award).select_related("credential").first()
    return known.credential if known else _certify(award, actor=actor)


@transaction.atomic
def _certify(award: LearnerBadge, *, actor: Actor) -> Credential:
    award = LearnerBadge.objects.select_for_update(no_key=True, of=("self",)).get(id=award.id)
    if known := BadgeCredential.objects.filter(award=award).select_related("credential").first():
        return known.credential
    claim = Claim(
        learner_name=award.learner.name,
        learner_email=award.learner.email,
        achievement=achievement(award.rule),
        narrative=NARRATIVE,
        genre="counted",
        issued_at=award.earned_at,
    )
    [credential] = certify(issuer_of(award.organization), [claim], actor=actor)
    BadgeCredential.objects.create(award=award, credential=credential)
    metadata = {"badge": award.badge.slug, "learnerId": str(award.learner_id), "learnerBadgeId": str(award.id)}
    event = Event(EventType.BADGE_CERTIFIED, award.organization_id, "credential", credential.id, metadata)
    record(event, actor=actor)
    return credential


@transaction.atomic
def forget_badges(person: Forgotten, *, actor: Actor) -> int:
    """Erases the credentials of the badges that were certified for her by then."""
    certified = BadgeCredential.objects.filter(award__learner_id=person.learner_id, created_at__lte=person.until)
    erased = erase_credentials(list(certified.values_list("credential_id", flat=True)))
    metadata = {"learnerId": str(person.learner_id), "reason": person.out_of(person.reason)}
    events = [
        Event(EventType.CREDENTIAL_ERASED, credential.organization_id, "credential", credential.id, metadata)
        for credential in erased
    ]
    record_many(events, actor=actor)
    return len(erased)


def achievement(rule: BadgeRule) -> dict[str, Any]:
    """The Open Badges Achievement that this version of a badge is."""
    url = f"{settings.ISSUER_URL}/badges/{rule.badge.slug}/{rule.version}"
    return {
        "id": url,
        "type": ["Achievement"],
        "achievementType": "Badge",
        "name": rule.badge.name,
        "description": rule.badge.description,
        "criteria": {"narrative": f"Earned by: {rule.criteria()}."},
        "image": {"id": f"{url}/image.png", "type": "Image"},
        "version": str(rule.version),
    }
