"""Owing the organizations' endpoints what happened, in the transaction of its cause."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder

from cerply import clock
from cerply.accounts.models import User
from notifications.models import EVENT_OF_TYPE, NotificationType, WebhookDelivery, WebhookEndpoint, WebhookEvent
from ops.wake import enqueue

JOB = "notifications.webhooks.delivering.deliver"


class Told(Protocol):
    """Something to tell, as `notifications.milestones` has it."""

    @property
    def type(self) -> NotificationType: ...
    @property
    def learner(self) -> User: ...
    @property
    def cause_id(self) -> UUID: ...
    @property
    def content(self) -> Mapping[str, Any]: ...


def owe(milestones: Sequence[Told]) -> None:
    """A delivery to each endpoint that wants it, once per cause. One query where there is no endpoint."""
    organizations = {milestone.learner.member_of for milestone in milestones}
    endpoints: dict[UUID, list[WebhookEndpoint]] = defaultdict(list)
    for endpoint in WebhookEndpoint.objects.active().filter(organization_id__in=organizations).order_by("id"):
        endpoints[endpoint.organization_id].append(endpoint)
    if not endpoints:
        return
    now = clock.now()
    rows = [
        _delivery(endpoint, EVENT_OF_TYPE[milestone.type], milestone, now)
        for milestone in milestones
        for endpoint in endpoints.get(milestone.learner.member_of, ())
        if endpoint.wants(EVENT_OF_TYPE[milestone.type])
    ]
    if rows:
        # In one order for everybody, as the managers' rows.
        rows.sort(key=lambda row: (row.endpoint_id, row.cause_id))
        WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
        enqueue(JOB)


def written(value: Mapping[str, Any]) -> str:
    """The body as it is stored, signed and sent."""
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, separators=(",", ":"))


def body_of(event: WebhookEvent, moment: datetime, data: Mapping[str, Any]) -> str:
    return written({"type": event, "timestamp": clock.rfc3339(moment), "data": data})


def _delivery(endpoint: WebhookEndpoint, event: WebhookEvent, told: Told, moment: datetime) -> WebhookDelivery:
    learner = told.learner
    who = {"learnerId": learner.id, "learnerExternalId": learner.external_id, "learnerName": learner.name}
    return WebhookDelivery(
        organization_id=endpoint.organization_id,
        endpoint=endpoint,
        event=event,
        cause_id=told.cause_id,
        learner=learner,
        body=body_of(event, moment, {**who, **told.content}),
        created_at=moment,
        due_at=moment,
    )
