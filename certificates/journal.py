"""The journal of erasures in the storage: what a restored database must forget again. It holds ids, and no name."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from cerply.clock import rfc3339
from certificates.models import Erasure

logger = logging.getLogger(__name__)

FOLDER = "erasures"


@dataclass(frozen=True, slots=True)
class Entry:
    """As in `Erasure`."""

    id: UUID
    learner_id: UUID
    certificate_id: UUID | None
    erased_at: datetime


def write(erasure: Erasure) -> None:
    name = f"{FOLDER}/{erasure.id}.json"
    entry = {
        "id": str(erasure.id),
        "learnerId": str(erasure.learner_id),
        "certificateId": str(erasure.certificate_id) if erasure.certificate_id else None,
        "erasedAt": rfc3339(erasure.erased_at),
    }
    # Who was killed may have left half of it.
    default_storage.delete(name)
    default_storage.save(name, ContentFile(json.dumps(entry).encode()))


def read() -> Iterator[Entry]:
    """In the order in which it was written."""
    try:
        _, names = default_storage.listdir(FOLDER)
    except FileNotFoundError:
        return
    for name in sorted(names):
        with default_storage.open(f"{FOLDER}/{name}") as file:
            content = bytes(file.read())
        try:
            yield _parsed(content)
        except (ValueError, KeyError):
            logger.error("%s/%s is damaged, and passed over: take it from another copy of the journal", FOLDER, name)


def _parsed(content: bytes) -> Entry:
    entry = json.loads(content)
    certificate_id = UUID(entry["certificateId"]) if entry["certificateId"] else None
    return Entry(UUID(entry["id"]), UUID(entry["learnerId"]), certificate_id, datetime.fromisoformat(entry["erasedAt"]))
