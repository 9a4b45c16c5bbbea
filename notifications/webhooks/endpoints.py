"""Endpoints: made, changed, given new secrets, disabled and deleted; and what is sent to them once more."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.errors import Conflict, Invalid, NotFound
from cerply.identifiers import uuid7
from cerply.permissions import Actor, Role
from notifications.models import (
    DisabledReason,
    EndpointState,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    WebhookNotice,
)
from notifications.webhooks.addresses import NotAllowed, target_of
from notifications.webhooks.enqueueing import JOB, body_of
from notifications.webhooks.signing import OVERLAP, put_new_secret
from ops.outbox import OutboxState
from ops.wake import enqueue

MOST = 10
NOT_ACTIVE = "The webhook is disabled. Enable it first."
NOTICES = "notifications.webhooks.noticing.mail_owed"


@transaction.atomic
def create(organization_id: UUID, values: Mapping[str, Any], *, actor: Actor) -> tuple[WebhookEndpoint, str]:
    """The endpoint, and its secret, which nobody can show again. Values are as `WebhookInput` gives them."""
    Organization.objects.locked().get(id=organization_id)
    if WebhookEndpoint.objects.for_organization(organization_id).kept().count() >= MOST:
        raise Conflict(f"The organization has {MOST} webhooks. Delete one first.")
    endpoint = WebhookEndpoint(organization_id=organization_id, url=_checked(values["url"]))
    endpoint.event_types = values.get("eventTypes", [])
    secret = put_new_secret(endpoint)
    endpoint.save(force_insert=True)
    _record(EventType.WEBHOOK_CREATED, endpoint, actor, **_said(endpoint))
    return endpoint, secret


@transaction.atomic
def change(endpoint_id: UUID, values: Mapping[str, Any], *, actor: Actor) -> WebhookEndpoint:
    """Values are as `WebhookPatch` gives them. What was owed is sent to the new address."""
    endpoint = _locked(endpoint_id)
    changes: dict[str, Any] = {}
    if "url" in values and values["url"] != endpoint.url:
        before, endpoint.url = endpoint.origin, _checked(values["url"])
        changes["origin"] = {"before": before, "after": endpoint.origin}
        endpoint.be_tried_now()
    if "eventTypes" in values and values["eventTypes"] != endpoint.event_types:
        changes["eventTypes"] = {"before": endpoint.event_types, "after": values["eventTypes"]}
        endpoint.event_types = values["eventTypes"]
    if changes:
        endpoint.save(update_fields=["url", "event_types", "held_until"])
        _record(EventType.WEBHOOK_CHANGED, endpoint, actor, changes=changes)
    if "active" in values and values["active"] != endpoint.is_active:
        if values["active"]:
            enable(endpoint, actor=actor)
        else:
            disable(endpoint, DisabledReason.SWITCHED_OFF, actor=actor)
    return endpoint


@transaction.atomic
def delete(endpoint_id: UUID, *, actor: Actor) -> None:
    """Nothing is sent to it any more. Its row stays for as long as its deliveries do, without anything secret."""
    endpoint = _locked(endpoint_id)
    endpoint.state, endpoint.disabled_at, endpoint.url = EndpointState.DELETED, clock.now(), endpoint.origin
    endpoint.sealed_secret = endpoint.former_sealed_secret = b""
    endpoint.former_until = None
    fields = ["state", "disabled_at", "url", "sealed_secret", "former_sealed_secret", "former_until"]
    endpoint.save(update_fields=fields)
    _record(EventType.WEBHOOK_DELETED, endpoint, actor, **_said(endpoint))


@transaction.atomic
def rotate(endpoint_id: UUID, *, at_once: bool = False, actor: Actor) -> tuple[WebhookEndpoint, str]:
    """A new secret. Both sign for a day, unless the former one is to end at once."""
    endpoint = _locked(endpoint_id)
    secret = put_new_secret(endpoint, overlap=timedelta(0) if at_once else OVERLAP)
    endpoint.save(update_fields=["sealed_secret", "former_sealed_secret", "former_until"])
    _record(EventType.WEBHOOK_SECRET_ROTATED, endpoint, actor, atOnce=at_once)
    return endpoint, secret


def disable(endpoint: WebhookEndpoint, reason: DisabledReason, *, actor: Actor) -> None:
    """The caller has it locked. Unless somebody did it on purpose, each admin is mailed a notice."""
    endpoint.disable(reason)
    endpoint.save(update_fields=["state", "disabled_at", "disabled_reason"])
    _record(EventType.WEBHOOK_DISABLED, endpoint, actor, reason=reason)
    if reason is DisabledReason.SWITCHED_OFF:
        return
    admins = User.objects.for_organization(endpoint.organization_id).filter(role=Role.ADMIN, is_active=True)
    WebhookNotice.objects.bulk_create(WebhookNotice(endpoint=endpoint, admin=admin, reason=reason) for admin in admins)
    enqueue(NOTICES)


def enable(endpoint: WebhookEndpoint, *, actor: Actor) -> None:
    """The caller has it locked. What was dropped meanwhile stays so until it is replayed."""
    endpoint.enable()
    fields = ["state", "disabled_at", "disabled_reason", "failures", "failing_since", "held_until"]
    endpoint.save(update_fields=fields)
    _record(EventType.WEBHOOK_ENABLED, endpoint, actor)


@transaction.atomic
def enable_by_id(endpoint_id: UUID, *, actor: Actor) -> bool:
    """False where it is active already."""
    endpoint = _locked(endpoint_id)
    if endpoint.is_active:
        return False
    enable(endpoint, actor=actor)
    return True


@transaction.atomic
def send_test(endpoint_id: UUID, *, actor: Actor) -> WebhookDelivery:
    """An event that says nothing, sent as all others are, and at once."""
    endpoint = _active(endpoint_id)
    now = clock.now()
    row = WebhookDelivery(
        organization_id=endpoint.organization_id, endpoint=endpoint, event=WebhookEvent.TEST, cause_id=uuid7()
    )
    row.body = body_of(WebhookEvent.TEST, now, {"webhookId": endpoint.id})
    row.save(force_insert=True)
    _record(EventType.WEBHOOK_TESTED, endpoint, actor, deliveryId=str(row.id))
    _wake(endpoint)
    return row


@transaction.atomic
def replay(delivery_id: UUID, *, actor: Actor) -> WebhookDelivery:
    """Sends it once more, under the same id. One that is owed still stays as it is."""
    endpoint_id = WebhookDelivery.objects.values_list("endpoint_id", flat=True).get(id=delivery_id)
    endpoint = _active(endpoint_id)
    row = WebhookDelivery.objects.select_for_update(of=("self",)).get(id=delivery_id)
    if row.state != OutboxState.DUE:
        row.revive()
        row.save(update_fields=row.MOVING)
        _record(EventType.WEBHOOK_REPLAYED, endpoint, actor, deliveryId=str(row.id))
        _wake(endpoint)
    return row


@transaction.atomic
def replay_since(endpoint_id: UUID, moment: datetime, *, also_taken: bool, actor: Actor) -> int:
    """Sends once more what came up since then and was not taken, or all of it. Returns how many."""
    endpoint = _active(endpoint_id)
    states: Collection[OutboxState] = {OutboxState.DEAD, OutboxState.DROPPED}
    states = {*states, OutboxState.SENT} if also_taken else states
    rows = WebhookDelivery.objects.of_endpoint(endpoint).filter(created_at__gte=moment, state__in=states)
    number = rows.revive()
    if number:
        since = clock.rfc3339(moment)
        _record(EventType.WEBHOOK_REPLAYED, endpoint, actor, since=since, alsoTaken=also_taken, number=number)
        _wake(endpoint)
    return number


def _locked(endpoint_id: UUID) -> WebhookEndpoint:
    endpoint = WebhookEndpoint.objects.kept().locked().filter(id=endpoint_id).first()
    if endpoint is None:
        raise NotFound("There is no such webhook.")
    return endpoint


def _active(endpoint_id: UUID) -> WebhookEndpoint:
    endpoint = _locked(endpoint_id)
    if not endpoint.is_active:
        raise Conflict(NOT_ACTIVE)
    return endpoint


def _wake(endpoint: WebhookEndpoint) -> None:
    """Who asks for something to be sent wants it now, also where it failed before."""
    endpoint.be_tried_now()
    endpoint.save(update_fields=["held_until"])
    enqueue(JOB)


def _checked(url: str) -> str:
    try:
        target_of(url)
    except NotAllowed as exc:
        raise Invalid({"url": [str(exc)]}) from exc
    return url


def _said(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Of the address what no secret can be in."""
    return {"origin": endpoint.origin, "eventTypes": endpoint.event_types}


def _record(type_: EventType, endpoint: WebhookEndpoint, actor: Actor, **metadata: Any) -> None:
    record(Event(type_, endpoint.organization_id, "webhook", endpoint.id, metadata), actor=actor)
