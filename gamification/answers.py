"""An answer, ready to be recorded: its learner, track and item are found, its values checked."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from cerply.accounts.models import User
from cerply.tracks.models import Item, Track
from certificates.models import Source


@dataclass(frozen=True, slots=True)
class Answer:
    """``credit`` is 0 to 1, ``response_ms`` milliseconds; without ``occurred_at`` it was now."""

    learner: User
    track: Track
    item: Item
    credit: Decimal
    source: Source
    response_ms: int | None = None
    occurred_at: datetime | None = None
    client_id: UUID | None = None

    @property
    def is_correct(self) -> bool:
        return self.credit == 1

    def local_day(self, now: datetime) -> date:
        """The day in the learner's calendar."""
        return (self.occurred_at or now).astimezone(ZoneInfo(self.learner.timezone)).date()

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of what was sent, in one form: ``correct: true`` and ``credit: 1`` are the same content."""
        content = [
            str(self.learner.id),
            str(self.item.id),
            format(self.credit.normalize(), "f"),
            self.response_ms,
            self.occurred_at.isoformat() if self.occurred_at else None,
        ]
        return hashlib.sha256(json.dumps(content).encode()).digest()
