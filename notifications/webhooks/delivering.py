"""Sending what endpoints are owed, so that none of them holds up another one's.

A worker visits the endpoint that has waited longest and holds it meanwhile, so that one alone is at it; sends it some
of what is due, until one is not taken; and goes on to the next. One that fails is left alone for a while, longer each
time, with all that it is owed; one that is slow, for some time as well. After a day without anything taken it is
disabled.
"""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction

from cerply import clock
from cerply.permissions import Actor
from notifications.models import DisabledReason, WebhookDelivery, WebhookEndpoint
from notifications.webhooks import connecting
from notifications.webhooks.endpoints import disable
from notifications.webhooks.signing import secrets_of, signed_headers
from ops.features import Feature, is_on
from ops.outbox import NotTaken, OutboxState, Refused

ACTOR = Actor.system("deliver_webhooks")
# Threads of one run, each with a connection to the database: they do little but wait for receivers.
SENDERS = 8
# In seconds. A run ends well before the next one; a visit, together with what it has in hand, within the lease.
LONGEST_RUN = 30
LONGEST_VISIT = 10
MOST_PER_VISIT = 20
# What takes longer than a second each is slow, and leaves the workers to others for three times as long.
QUICK = 1.0
REST = 3
GIVES_UP_AFTER = timedelta(days=1)
STEP = 1000
NOT_ACTIVE = "The endpoint was disabled or deleted."
SWITCHED_OFF = "Manager notifications were off for the organization."


def deliver() -> str:
    """The job, and what every cause asks for: what is due, to as many endpoints at a time as there are senders."""
    dropped = _drop()
    ended = _deliver(time.monotonic() + LONGEST_RUN)
    failed = ended[OutboxState.DUE] + ended[OutboxState.DEAD]
    dropped += ended[OutboxState.DROPPED]
    return f"Delivered {ended[OutboxState.SENT]} webhooks; {failed} were not taken, {dropped} dropped."


def _deliver(until: float) -> Counter[OutboxState]:
    waiting = WebhookEndpoint.objects.with_work().values("id")[:SENDERS].count()
    if waiting <= 1:
        return visit_all(until)

    def run() -> Counter[OutboxState]:
        try:
            return visit_all(until)
        finally:
            connection.close()

    with ThreadPoolExecutor(waiting, thread_name_prefix="webhooks") as pool:
        runs = [pool.submit(copy_context().run, run) for _ in range(waiting)]
    return sum((run.result() for run in runs), Counter())


def visit_all(until: float) -> Counter[OutboxState]:
    """One endpoint after the other, until none has anything due."""
    ended: Counter[OutboxState] = Counter()
    while time.monotonic() < until and (visit := Visit.next()):
        ended += visit.make()
    return ended


class Visit:
    """Some deliveries to one endpoint, which nobody else sends to meanwhile."""

    def __init__(self, endpoint: WebhookEndpoint) -> None:
        self.endpoint = endpoint
        self.held_until = endpoint.held_until
        self.secrets: list[bytes] = []
        self.is_on = endpoint.organization.closed_at is None and is_on(
            Feature.MANAGER_NOTIFICATIONS, endpoint.organization_id
        )
        self.began = time.monotonic()
        self.sent = 0
        self.taken = 0
        self.has_failed = False
        self.is_gone = False

    @classmethod
    @transaction.atomic
    def next(cls) -> "Visit | None":
        waiting = WebhookEndpoint.objects.with_work().select_related("organization")
        endpoint = waiting.select_for_update(skip_locked=True, no_key=True, of=("self",)).first()
        if endpoint is None:
            return None
        endpoint.held_until = clock.now() + WebhookEndpoint.LEASE
        endpoint.save(update_fields=["held_until"])
        return cls(endpoint)

    def make(self) -> Counter[OutboxState]:
        # Raises where the key is gone that opens them: nothing is tried then, for that is not the receiver's doing.
        self.secrets = secrets_of(self.endpoint, clock.now())
        rows = WebhookDelivery.objects.of_endpoint(self.endpoint)
        ended = rows.work_off(self.send, goes_on=self.goes_on)
        self.settle()
        return ended

    def goes_on(self) -> bool:
        return not self.has_failed and self.sent < MOST_PER_VISIT and self.seconds < LONGEST_VISIT

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def send(self, row: WebhookDelivery) -> OutboxState:
        self.sent += 1
        if not self.is_on:
            row.error = SWITCHED_OFF
            return OutboxState.DROPPED
        self.has_failed = True
        row.status_code = None
        row.status_code = status = self._post(row)
        if status == 410:
            self.is_gone = True
            raise Refused("It answered 410 Gone.")
        if not 200 <= status < 300:
            raise NotTaken(f"It answered {status}.")
        self.has_failed = False
        self.taken += 1
        return OutboxState.SENT

    def _post(self, row: WebhookDelivery) -> int:
        moment, body = clock.now(), row.body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Cerply/{settings.VERSION}",
            **signed_headers(str(row.id), moment, body, self.secrets),
        }
        return connecting.post(self.endpoint.url, body, headers)

    @transaction.atomic
    def settle(self) -> None:
        """Writes down how it went, unless somebody else holds the endpoint by now."""
        now = clock.now()
        endpoint = WebhookEndpoint.objects.active().locked().filter(pk=self.endpoint.pk).first()
        if endpoint is None or endpoint.held_until != self.held_until:
            return
        endpoint.held_until = now
        if self.taken:
            endpoint.failures, endpoint.failing_since = 0, None
            slow = max(0.0, self.seconds - QUICK * self.sent)
            endpoint.held_until += timedelta(seconds=REST * slow)
        if self.has_failed:
            endpoint.failures += 1
            endpoint.failing_since = endpoint.failing_since or now
            pauses = WebhookDelivery.PAUSES
            endpoint.held_until = now + pauses[min(endpoint.failures, len(pauses)) - 1]
        endpoint.save(update_fields=["held_until", "failures", "failing_since"])
        if self.is_gone:
            disable(endpoint, DisabledReason.GONE, actor=ACTOR)
        elif endpoint.failing_since and now - endpoint.failing_since >= GIVES_UP_AFTER:
            disable(endpoint, DisabledReason.FAILING, actor=ACTOR)


def _drop() -> int:
    """What is owed to endpoints that take nothing any more. Returns how many."""
    dropped = 0
    while True:
        with transaction.atomic():
            rows = WebhookDelivery.objects.undeliverable().select_for_update(skip_locked=True)
            chosen = list(rows.values_list("id", flat=True)[:STEP])
            dropped += WebhookDelivery.objects.filter(id__in=chosen).update(
                state=OutboxState.DROPPED, finished_at=clock.now(), error=NOT_ACTIVE
            )
        if len(chosen) < STEP:
            return dropped
