"""Recording what happened, in the transaction of its cause."""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from audit.leaves import as_json
from audit.models import NO_ORGANIZATION, AuditEvent, EventType, Kpi, KpiDelta
from cerply import clock
from cerply.identifiers import uuid7
from cerply.permissions import Actor
from cerply.requests import current_request_id

logger = logging.getLogger("audit")

KPI_OF_TYPE = {
    EventType.BADGE_AWARDED: Kpi.BADGES_AWARDED,
    EventType.LEVEL_CHANGED: Kpi.LEVELS_CHANGED,
    EventType.CERTIFICATE_ISSUED: Kpi.CERTIFICATES_ISSUED,
    EventType.CERTIFICATE_DOWNLOADED: Kpi.CERTIFICATES_DOWNLOADED,
    EventType.CERTIFICATE_REVOKED: Kpi.CERTIFICATES_REVOKED,
    EventType.NOTIFICATION_MARKED_READ: Kpi.NOTIFICATIONS_MARKED_READ,
}
# How far an event's time may be from this machine's clock before its id follows the event instead.
SAME_TIME_MS = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: ``Event(EventType.TEAM_CREATED, organization.id, "team", team.id, {"name": …})``."""

    type: EventType
    organization_id: UUID | None
    subject_kind: str = ""
    subject_id: UUID | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def record(event: Event, *, actor: Actor) -> None:
    """Records it, with its KPI and its log line."""
    record_many([event], actor=actor)


def record_many(events: Sequence[Event], *, actor: Actor) -> None:
    """Records all of them in two statements, in this order. Committed with the caller's transaction or not at all."""
    if not events:
        return
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "Audit events are recorded in the transaction of their cause: call this inside transaction.atomic()."
        )
    rows = [_row(event, actor) for event in events]
    if settings.PERSIST_AUDIT_EVENTS:
        AuditEvent.objects.bulk_create(rows)
    _count(events)
    transaction.on_commit(lambda: _log(rows), robust=True)


def _row(event: Event, actor: Actor) -> AuditEvent:
    moment = clock.now()
    token = {"tokenId": str(actor.token_id)} if actor.token_id else {}
    row = AuditEvent(
        organization_id=event.organization_id,
        type=event.type,
        subject_kind=event.subject_kind,
        subject_id=event.subject_id,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label[:255],
        request_id=current_request_id(),
        metadata={**event.metadata, **token},
        occurred_at=moment,
    )
    # An event belongs to the week of its time, also where the clock is not this machine's (demo data, tests).
    milliseconds = int(moment.timestamp() * 1000)
    if abs((row.id.int >> 80) - milliseconds) > SAME_TIME_MS:
        row.id = uuid7(milliseconds)
    return row


def _count(events: Sequence[Event]) -> None:
    amounts = Counter(
        (KPI_OF_TYPE[event.type], event.organization_id or NO_ORGANIZATION)
        for event in events
        if event.type in KPI_OF_TYPE
    )
    KpiDelta.objects.bulk_create(
        KpiDelta(kpi=kpi, organization_id=organization_id, amount=amount)
        for (kpi, organization_id), amount in amounts.items()
    )


def _log(rows: Sequence[AuditEvent]) -> None:
    for row in rows:
        logger.info("[audit] %s", json.dumps(as_json(row), cls=DjangoJSONEncoder, ensure_ascii=False))
