"""Changing how certificates stand, one or many."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import batched
from typing import Any
from uuid import UUID

from django.db import transaction

from audit.models import EventType
from audit.recording import Event
from certificates.models import Certificate

# Small enough that nobody waits long for the rows of one.
BATCH = 200


def change_many(
    ids: Iterable[UUID], fit: Callable[[Certificate], bool], change: Callable[[Sequence[Certificate]], None]
) -> int:
    """Changes those that fit, in batches, each a transaction of its own. Returns how many there were."""
    changed = 0
    for batch in batched(sorted(set(ids)), BATCH):
        with transaction.atomic():
            certificates = [certificate for certificate in Certificate.objects.locked(batch) if fit(certificate)]
            change(certificates)
        changed += len(certificates)
    return changed


def event_of(type_: EventType, certificate: Certificate, what: Mapping[str, Any]) -> Event:
    about = {"learnerId": str(certificate.learner_id), "trackId": str(certificate.track_id)}
    return Event(type_, certificate.organization_id, "certificate", certificate.id, {**what, **about})
