"""Endpoints and deliveries as the API writes them."""

from typing import Any

from cerply import clock
from cerply.clock import rfc3339
from notifications.models import WebhookDelivery, WebhookEndpoint


def endpoint(row: WebhookEndpoint) -> dict[str, Any]:
    former_until = row.former_until if row.former_until and row.former_until > clock.now() else None
    return {
        "id": str(row.id),
        "url": row.url,
        "eventTypes": row.event_types,
        "state": row.state,
        "disabledAt": rfc3339(row.disabled_at) if row.disabled_at else None,
        "disabledReason": row.disabled_reason or None,
        "failingSince": rfc3339(row.failing_since) if row.failing_since else None,
        "formerSecretUntil": rfc3339(former_until) if former_until else None,
        "createdAt": rfc3339(row.created_at),
    }


def delivery(row: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "eventType": row.event,
        "state": row.state,
        "tries": row.tries,
        "statusCode": row.status_code,
        "error": row.error,
        "createdAt": rfc3339(row.created_at),
        "dueAt": None if row.finished_at else rfc3339(row.due_at),
        "finishedAt": rfc3339(row.finished_at) if row.finished_at else None,
    }
