"""Endpoints to test with."""

import time
from collections import Counter
from datetime import datetime
from typing import Any

from cerply import clock
from cerply.accounts.models import Organization
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.webhooks import endpoints
from notifications.webhooks.delivering import visit_all
from ops.outbox import OutboxState
from tests.factories import ACTOR


def make_endpoint(organization: Organization, url: str, *events: str) -> tuple[WebhookEndpoint, str]:
    """With its secret."""
    values: dict[str, Any] = {"url": url, "eventTypes": list(events)}
    return endpoints.create(organization.id, values, actor=ACTOR)


def visit() -> Counter[OutboxState]:
    """What the job does, in this thread: one in which a test's transaction is."""
    return visit_all(time.monotonic() + 60)


def visit_at(moment: datetime) -> Counter[OutboxState]:
    with clock.moved_to(moment):
        return visit()


def states() -> list[str]:
    """Of all deliveries, in the order in which they came up."""
    return list(WebhookDelivery.objects.order_by("id").values_list("state", flat=True))
