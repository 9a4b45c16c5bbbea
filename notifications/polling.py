"""What a page asks for every few seconds, and what tells whether its answer is still the same.

The ``ETag`` is a hash of what the answer is made of, and of nothing else: who asks and for what, how many there are,
and a fingerprint of each row on the page, with the learner's name as it is now. So it changes when the answer does,
however that came about. The database makes the fingerprints along the index of the page; nothing is built.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Func, TextField
from django.utils.http import quote_etag

from cerply.pagination import Page
from cerply.permissions import Caller
from notifications.counting import Counts
from notifications.models import ManagerNotification
from notifications.models.inbox import NotificationQuerySet


class Fingerprint(Func):
    """Of these values as the database writes them: their SHA-256."""

    template = "encode(sha256(convert_to(ROW(%(expressions)s)::text, 'UTF8')), 'hex')"
    output_field = TextField()


# All that `notifications.representation.notification` looks at.
FINGERPRINT = Fingerprint("id", "learner_id", "learner__name", "type", "content", "read_at", "sent_at")


@dataclass(frozen=True, slots=True)
class InboxPage:
    """A page of an inbox as it was asked for, and how many there were."""

    caller: Caller
    counts: Counts
    page: Page = Page()
    type: str | None = None
    unread_only: bool = False

    @property
    def total(self) -> int:
        return self.counts.of(self.type, unread_only=self.unread_only)

    def rows(self) -> NotificationQuerySet:
        rows = ManagerNotification.objects.inbox_of(self.caller)
        if self.unread_only:
            rows = rows.unread()
        if self.type:
            rows = rows.filter(type=self.type)
        first = self.page.offset
        return rows[first : first + self.page.limit] if first < self.total else rows.none()

    def fingerprints(self) -> Iterable[str]:
        return self.rows().values_list(FINGERPRINT, flat=True)

    def etag(self, fingerprints: Iterable[str]) -> str:
        asked = [self.caller.key, self.page.limit, self.page.offset, self.type, self.unread_only]
        return etag_of(*asked, self.total, self.counts.unread, list(fingerprints))


def etag_of(*values: object) -> str:
    """Another program may write the same values otherwise."""
    said = json.dumps([settings.VERSION, settings.IMAGE_REVISION, *values])
    return quote_etag(hashlib.sha256(said.encode()).hexdigest())
