"""The events of an organization for those who look into them: pages, and files of any length."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from audit.leaves import as_json
from audit.models import NO_ORGANIZATION, AuditEvent, AuditEventQuerySet, EventType
from audit.recording import Event, record
from cerply import clock
from cerply.permissions import Actor

# How far an id's time may be from that of its event: see `audit.recording`.
ID_TOLERANCE = timedelta(seconds=2)
STEP = 2000
COLUMNS = [
    "id",
    "occurredAt",
    "type",
    "organizationId",
    "subjectKind",
    "subjectId",
    "actorKind",
    "actorId",
    "actorLabel",
    "requestId",
    "metadata",
]
# What a spreadsheet takes for the beginning of a formula; the wide ones are read like the narrow ones.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - meant


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events are asked for: from ``since`` on, and before ``before``.

    ``organization_id``: None for those of all, `NO_ORGANIZATION` for those of none.
    """

    organization_id: UUID | None
    type: str | None = None
    actor_id: UUID | None = None
    subject_id: UUID | None = None
    since: datetime | None = None
    before: datetime | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it leaves nothing out of the time that it names."""
        return not (self.type or self.actor_id or self.subject_id)

    def events(self) -> AuditEventQuerySet:
        rows = AuditEvent.objects.all()
        if self.organization_id is not None:
            rows = rows.filter(
                organization_id=None if self.organization_id == NO_ORGANIZATION else self.organization_id
            )
        if self.type:
            rows = rows.filter(type=self.type)
        if self.actor_id:
            rows = rows.filter(actor_id=self.actor_id)
        if self.subject_id:
            rows = rows.filter(subject_id=self.subject_id)
        # By id as well, so that only the weeks between are read.
        if self.since:
            rows = rows.since(self.since - ID_TOLERANCE).filter(occurred_at__gte=self.since)
        if self.before:
            rows = rows.before(self.before + ID_TOLERANCE).filter(occurred_at__lt=self.before)
        return rows

    def has(self, event: AuditEvent) -> bool:
        """Whether it would be among `events`."""
        return (
            (not self.type or event.type == self.type)
            and (not self.actor_id or event.actor_id == self.actor_id)
            and (not self.subject_id or event.subject_id == self.subject_id)
            and (self.since is None or event.occurred_at >= self.since)
            and (self.before is None or event.occurred_at < self.before)
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "actor": str(self.actor_id) if self.actor_id else None,
            "target": str(self.subject_id) if self.subject_id else None,
            "from": clock.rfc3339(self.since) if self.since else None,
            "to": clock.rfc3339(self.before) if self.before else None,
        }


def page(selection: Selection, cursor: UUID | None, limit: int, *, oldest_first: bool) -> tuple[list[AuditEvent], bool]:
    """The events after the one of the cursor, and whether there are more."""
    rows = selection.events().order_by("id" if oldest_first else "-id")
    if cursor:
        rows = rows.filter(id__gt=cursor) if oldest_first else rows.filter(id__lt=cursor)
    found = list(rows[: limit + 1])
    return found[:limit], len(found) > limit


def walk(selection: Selection, *, oldest_first: bool) -> Iterator[AuditEvent]:
    """All of them, step by step, so that neither memory nor a transaction grows with their number."""
    cursor, more = None, True
    while more:
        found, more = page(selection, cursor, STEP, oldest_first=oldest_first)
        yield from found
        cursor = found[-1].id if found else None


def as_ndjson(selection: Selection, *, oldest_first: bool) -> Iterator[bytes]:
    """An event a line, as the API gives it."""
    for event in walk(selection, oldest_first=oldest_first):
        yield json.dumps(as_json(event), cls=DjangoJSONEncoder, ensure_ascii=False).encode() + b"\n"


def as_csv(selection: Selection, *, oldest_first: bool) -> Iterator[bytes]:
    """With a line of headings. The metadata are JSON; what a spreadsheet would compute has an apostrophe before it."""
    yield _line(COLUMNS)
    for event in walk(selection, oldest_first=oldest_first):
        row = as_json(event)
        subject, actor = row["subject"], row["actor"]
        values = [row["id"], row["occurredAt"], row["type"], row["organizationId"], subject["kind"], subject["id"]]
        values += [actor["kind"], actor["id"], actor["label"], row["requestId"]]
        values.append(json.dumps(row["metadata"], cls=DjangoJSONEncoder, ensure_ascii=False))
        yield _line([defused(value or "") for value in values])


def defused(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


@transaction.atomic
def record_export(selection: Selection, what: str, format_: str, *, actor: Actor) -> None:
    """Who took the audit out is in the audit."""
    organization_id = None if selection.organization_id == NO_ORGANIZATION else selection.organization_id
    filters = {name: value for name, value in selection.as_json().items() if value}
    metadata = {"what": what, "format": format_, "filters": filters}
    record(Event(EventType.AUDIT_EXPORTED, organization_id, "audit_events", metadata=metadata), actor=actor)


def _line(values: list[str]) -> bytes:
    output = io.StringIO()
    csv.writer(output, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(values)
    return output.getvalue().encode()
