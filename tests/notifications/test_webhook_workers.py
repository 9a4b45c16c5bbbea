"""Many workers at once, and workers that are killed: each message comes once, save the one that was in a hand."""

import signal
import socket
from collections import Counter
from datetime import timedelta
from threading import Event
from uuid import uuid4

import pytest

from audit.models import AuditEvent
from cerply import clock
from notifications.milestones import Milestone, announce
from notifications.models import NotificationType, WebhookDelivery, WebhookEndpoint, WebhookNotice
from notifications.webhooks import endpoints
from notifications.webhooks.delivering import deliver
from tests.factories import ACTOR, Cast, give_answers, make_cast, make_organization
from tests.notifications.receivers import Receiver, answer
from tests.notifications.webhooks import make_endpoint, visit_at
from tests.processes import run_python
from tests.threads import at_once

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("loopback")]


def many(endpoint: WebhookEndpoint, number: int) -> None:
    for _ in range(number):
        endpoints.send_test(endpoint.id, actor=ACTOR)


def test_two_workers_at_once_send_each_once() -> None:
    cast = make_cast()
    organizations = [cast.organization, cast.outside, *(make_organization(f"Number {n}") for n in range(3))]
    with Receiver() as receiver:
        for organization in organizations:
            many(make_endpoint(organization, receiver.url)[0], 25)
        said = at_once([deliver, deliver])
        assert sum(int(line.split()[1]) for line in said) == 125
    assert set(Counter(received.id for received in receiver.received).values()) == {1}
    assert WebhookDelivery.objects.filter(state="sent", tries=1).count() == len(receiver.received) == 125


def test_one_endpoint_has_one_connection_at_a_time() -> None:
    cast = make_cast()
    together: list[int] = []
    within = 0

    def counting(receiver: Receiver, connection: socket.socket) -> None:
        nonlocal within
        within += 1
        together.append(within)
        receiver.over.wait(0.005)
        within -= 1
        answer(204)(receiver, connection)

    with Receiver([counting]) as receiver, Receiver() as other:
        many(make_endpoint(cast.organization, receiver.url)[0], 30)
        many(make_endpoint(cast.outside, other.url)[0], 30)
        at_once([deliver] * 3)
        assert len(receiver.received) == 30
    assert max(together) == 1


def test_who_hangs_holds_up_nobody() -> None:
    """They hang until the good one has all that it is owed; if that waited for them, they would time out."""
    cast = make_cast()
    done = Event()

    def hanging(receiver: Receiver, connection: socket.socket) -> None:
        done.wait(60)
        answer(204)(receiver, connection)

    def good_one(receiver: Receiver, connection: socket.socket) -> None:
        answer(204)(receiver, connection)
        if len(receiver.received) == 50:
            done.set()

    with Receiver([hanging]) as bad, Receiver([good_one]) as good:
        for _ in range(3):
            many(make_endpoint(cast.organization, bad.url)[0], 5)
        many(make_endpoint(cast.outside, good.url)[0], 50)
        deliver()
        assert (len(bad.received), len(good.received)) == (15, 50)
    assert WebhookDelivery.objects.filter(state="sent", tries=1).count() == 65


KILLED = """
from notifications.webhooks import connecting, delivering
post = connecting.post
calls = 0
def die(*args, **options):
    os.kill(os.getpid(), signal.SIGKILL)
def die_at_the_third(*args, **options):
    global calls
    calls += 1
    if calls == 3:
        {before}
        die()
    return post(*args, **options)
{patch}
delivering.deliver()
"""
STEPS = {
    "with the endpoint in hand": ("pass", "delivering.Visit.make = die"),
    "with a delivery in hand": ("pass", "connecting.post = die_at_the_third"),
    "after it was taken": ("post(*args, **options)", "connecting.post = die_at_the_third"),
    "before the visit is written down": ("pass", "delivering.Visit.settle = die"),
}


@pytest.mark.parametrize("step", STEPS)
def test_killed_it_goes_on_and_sends_at_most_one_again(step: str) -> None:
    cast = make_cast()
    before, patch = STEPS[step]
    with Receiver() as receiver:
        _, secret = make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 60, response_ms=10)
        code = KILLED.format(before=before, patch=patch)
        assert run_python(code, WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8").returncode == -signal.SIGKILL
        sent_before = len(receiver.received)
        # The one that was in its hand, and the endpoint, are left alone for a while.
        visit_at(clock.now() + timedelta(seconds=61))
        times = Counter(received.id for received in receiver.received)
        assert len(times) == WebhookDelivery.objects.filter(state="sent").count() == 5
        assert sum(times.values()) == 5 + (step == "after it was taken")
        assert sent_before == {"with the endpoint in hand": 0, "with a delivery in hand": 2}.get(
            step, 3 if step == "after it was taken" else 5
        )
        for received in receiver.received:
            received.verified_with(secret)
        bodies = {(received.id, received.body) for received in receiver.received}
        assert len(bodies) == 5


def test_who_is_killed_by_it_each_time_gives_it_up() -> None:
    cast = make_cast()
    with Receiver() as receiver:
        endpoint, _ = make_endpoint(cast.organization, receiver.url)
        many(endpoint, 1)
        WebhookDelivery.objects.update(tries=len(WebhookDelivery.PAUSES) + 1)
        assert deliver() == "Delivered 0 webhooks; 0 were not taken, 0 dropped."
        assert (WebhookDelivery.objects.get().state, receiver.connections) == ("dead", 0)


def test_disabled_by_two_at_once_it_is_told_once() -> None:
    cast = make_cast()
    with Receiver([answer(410)]) as receiver:
        make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 60, response_ms=10)
        at_once([deliver] * 4)
    assert AuditEvent.objects.filter(type="webhook_disabled").count() == WebhookNotice.objects.count() == 1
    assert len(receiver.received) == 1
    deliver()
    assert not WebhookDelivery.objects.filter(state="due").exists()


def test_the_same_milestone_told_at_once_is_owed_once() -> None:
    cast = make_cast()
    for _ in range(3):
        make_endpoint(cast.organization, "https://hooks.example.com/")
    milestones = [Milestone(NotificationType.BADGE, cast.learner, uuid4(), {}) for _ in range(5)]
    at_once([lambda: announce(milestones)] * 3 + [lambda: announce(milestones[::-1])] * 3)
    assert WebhookDelivery.objects.count() == 15


def test_deleted_while_something_happens_nothing_fails(cast: Cast) -> None:
    endpoint, _ = make_endpoint(cast.organization, "https://hooks.example.com/")
    at_once(
        [lambda: give_answers(cast.learner, cast.track, 1), lambda: endpoints.delete(endpoint.id, actor=ACTOR)]
        + [lambda: give_answers(cast.colleague, cast.track, 1)]
    )
    deliver()
    assert not WebhookDelivery.objects.filter(state="due").exists()


def test_replayed_at_once_it_is_sent_once_more() -> None:
    cast = make_cast()
    with Receiver() as receiver:
        endpoint, _ = make_endpoint(cast.organization, receiver.url)
        many(endpoint, 1)
        deliver()
        [row] = WebhookDelivery.objects.all()
        at_once([lambda: endpoints.replay(row.id, actor=ACTOR)] * 5)
        deliver()
    assert len(receiver.received) == 2
    assert AuditEvent.objects.filter(type="webhook_replayed").count() == 1
