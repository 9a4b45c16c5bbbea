"""Sharing artefacts with the team."""

import hashlib
import json
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from cerply import clock
from cerply.accounts.models import User
from cerply.errors import Conflict
from cerply.permissions import Actor
from gamification.awarding import Awarder, badge_milestone, write_awards
from gamification.models import LearnerStanding, Share
from notifications.milestones import announce
from ops.features import Feature, decisions


@transaction.atomic
def share(
    learner: User, artefact_id: str, *, client_id: UUID | None, occurred_at: datetime | None, actor: Actor
) -> int:
    """Notes that the artefact was shared. Returns how many different ones the learner has shared.

    The same artefact, and the same client id, count once; the same client id with other content is a `Conflict`.
    """
    standing = LearnerStanding.objects.lock([learner])[learner.id]
    sent = Share(
        organization_id=learner.member_of,
        learner=learner,
        artefact_id=artefact_id,
        client_id=client_id,
        fingerprint=fingerprint(learner, artefact_id, occurred_at) if client_id else None,
        occurred_at=occurred_at or clock.now(),
    )
    if client_id:
        known = Share.objects.for_organization(learner.member_of).fingerprints([client_id])
        if known == {client_id: sent.fingerprint}:
            return standing.shares
        if known:
            raise _known_with_other_content(client_id)
    sent.is_repeat = Share.objects.counted().filter(learner=learner, artefact_id=artefact_id).exists()
    if sent.is_repeat and not client_id:
        return standing.shares
    try:
        with transaction.atomic():
            sent.save(force_insert=True)
    except IntegrityError as exc:
        raise _known_with_other_content(client_id) from exc
    if sent.is_repeat:
        return standing.shares
    awarder = Awarder.of({learner.id: standing}, awarding=decisions(learner.member_of)[Feature.GAMIFICATION].on)
    badges = write_awards(awarder.shared(learner, sent), actor=actor)
    awarder.store(standing)
    standing.save(update_fields=["shares", "badges_due"])
    announce([badge_milestone(badge) for badge in badges])
    return standing.shares


def fingerprint(learner: User, artefact_id: str, occurred_at: datetime | None) -> bytes:
    """SHA-256 of what was sent."""
    content = [str(learner.id), artefact_id, occurred_at.isoformat() if occurred_at else None]
    return hashlib.sha256(json.dumps(content).encode()).digest()


def _known_with_other_content(client_id: UUID | None) -> Conflict:
    details = {"id": [str(client_id)]} if client_id else None
    return Conflict("A share with this id was recorded before, with other content.", details=details)
