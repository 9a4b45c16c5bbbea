"""What receivers get: signed, once, again after a failure, and never at the cost of another one."""

import json
import socket
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ
from pytest_django import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.organizations import close_organization
from certificates.erasing import erase_learner
from certificates.reminding import remind
from notifications.milestones import Milestone, announce
from notifications.models import (
    EVENT_OF_TYPE,
    DisabledReason,
    ManagerNotification,
    NotificationType,
    WebhookDelivery,
    WebhookEndpoint,
)
from notifications.webhooks import delivering, endpoints
from notifications.webhooks.delivering import deliver
from notifications.webhooks.noticing import mail_owed
from notifications.webhooks.retention import clean_up
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, give_answers, make_track, make_user
from tests.notifications.receivers import Behaviour, Receiver, answer, go_on_with, hang, reset, say
from tests.notifications.webhooks import make_endpoint, states, visit, visit_at

pytestmark = pytest.mark.usefixtures("loopback")


def bodies(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(received.body) for received in receiver.received]


# -- what comes --


def test_a_milestone_comes_signed(cast: Cast) -> None:
    with Receiver() as receiver:
        endpoint, secret = make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 1)
        assert OrmQ.objects.order_by("-id")[0].task["func"] == "notifications.webhooks.delivering.deliver"
        assert deliver() == "Delivered 1 webhooks; 0 were not taken, 0 dropped."
        assert deliver() == "Delivered 0 webhooks; 0 were not taken, 0 dropped."
    [received] = receiver.received
    body = received.verified_with(secret)
    [row] = WebhookDelivery.objects.all()
    assert body == {
        "type": "badge.awarded",
        "timestamp": clock.rfc3339(row.created_at),
        "data": {
            "learnerId": str(cast.learner.id),
            "learnerExternalId": None,
            "learnerName": "Maya Lindqvist",
            "badge": "first-steps",
            "badgeName": "First Steps",
            "icon": body["data"]["icon"],  # type: ignore[index]
        },
    }
    assert received.line == "POST /hooks?from=cerply HTTP/1.1"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"].startswith("Cerply/")
    assert received.id == str(row.id)
    assert (row.state, row.status_code, row.tries, row.error) == ("sent", 204, 1, "")
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 44).verify(received.body.decode(), dict(received.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(received.body.decode() + " ", dict(received.headers))


def test_each_kind_of_milestone_comes_and_needs_no_manager(cast: Cast) -> None:
    track = make_track(cast.organization, valid_months=1)
    with Receiver() as receiver:
        make_endpoint(cast.organization, receiver.url)
        complete(cast.colleague, track)
        give_answers(cast.colleague, track, 30)
        with clock.moved_to(clock.now() + timedelta(days=25)):
            remind()
        at_risk = {"trackTitle": track.title, "reason": "silent"}
        announce([Milestone(NotificationType.AT_RISK, cast.colleague, uuid4(), at_risk)])
        visit_at(clock.now() + timedelta(days=25))
        assert not ManagerNotification.objects.exists()
        assert {body["type"] for body in bodies(receiver)} == set(EVENT_OF_TYPE.values())
        assert set(EVENT_OF_TYPE) == set(NotificationType)


def test_the_learner_is_named_as_the_organization_names_her(cast: Cast) -> None:
    learner = make_user(cast.organization, name="Ünal “Ö” Müller", external_id="hr-77")
    with Receiver() as receiver:
        _, secret = make_endpoint(cast.organization, receiver.url)
        give_answers(learner, cast.track, 1)
        visit()
    data = bodies(receiver)[0]["data"]
    assert (data["learnerExternalId"], data["learnerName"]) == ("hr-77", "Ünal “Ö” Müller")
    receiver.received[0].verified_with(secret)


def test_an_endpoint_gets_the_events_that_it_asked_for_once_per_cause(cast: Cast) -> None:
    with Receiver() as every, Receiver() as levels:
        make_endpoint(cast.organization, every.url)
        make_endpoint(cast.organization, levels.url, "level.changed")
        give_answers(cast.learner, cast.track, 21)
        visit()
        milestone = Milestone(NotificationType.BADGE, cast.learner, uuid4(), {})
        for _ in range(2):
            announce([milestone])
        visit()
    assert [body["type"] for body in bodies(levels)] == ["level.changed"]
    assert len(every.received) == WebhookDelivery.objects.exclude(event="level.changed").count() + 1
    assert len({received.id for received in every.received + levels.received}) == len(every.received) + 1


def test_nobody_elses_endpoint_hears_of_it(cast: Cast) -> None:
    with Receiver() as receiver:
        outside, _ = make_endpoint(cast.outside, receiver.url)
        off, _ = make_endpoint(cast.organization, receiver.url)
        endpoints.change(off.id, {"active": False}, actor=ACTOR)
        gone, _ = make_endpoint(cast.organization, receiver.url)
        endpoints.delete(gone.id, actor=ACTOR)
        give_answers(cast.learner, cast.track, 1)
        assert not WebhookDelivery.objects.exists()
        give_answers(cast.outsider, cast.outside_track, 1)
        assert WebhookDelivery.objects.get().endpoint == outside


def test_without_an_endpoint_it_costs_one_query(cast: Cast) -> None:
    milestone = Milestone(NotificationType.BADGE, cast.learner, uuid4(), {})
    with CaptureQueriesContext(connection) as queries:
        announce([milestone])
    assert [query["sql"] for query in queries if "webhook" in query["sql"]] == [
        query["sql"] for query in queries if "webhook_endpoints" in query["sql"]
    ]
    assert len([query for query in queries if "webhook" in query["sql"]]) == 1


def test_what_is_taken_back_is_not_owed(cast: Cast) -> None:
    make_endpoint(cast.organization, "https://hooks.example.com/")
    with transaction.atomic():
        give_answers(cast.learner, cast.track, 1)
        transaction.set_rollback(True)
    assert not WebhookDelivery.objects.exists()


# -- what is not taken --


@pytest.mark.parametrize(
    ("behaviour", "status", "error"),
    [
        (answer(500, b"Traceback: nobody-may-see"), 500, "It answered 500."),
        (answer(404), 404, "It answered 404."),
        (answer(429, Retry_After="1"), 429, "It answered 429."),
        (answer(302, Location="http://127.0.0.1:1/nobody-may-see"), 302, "It answered 302."),
        (answer(304), 304, "It answered 304."),
        (hang, None, "It did not answer within 0.3 seconds."),
        (go_on_with(b"nobody-may-see: 1\r\n", begin=b"HTTP/1.1 200 OK\r\n", pause=0.01), None, "It did not answer"),
        (say(b"HTTP/1.1 nobody-may-see\r\n\r\n"), None, "What it answered is no HTTP."),
        (say(b"HTTP/1.1 200 OK\r\nX-Cut: "), None, "The connection with it broke."),
        (reset, None, "The connection with it broke."),
    ],
)
def test_what_is_not_taken_is_sent_again_as_it_was(
    cast: Cast,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    behaviour: Behaviour,
    status: int | None,
    error: str,
) -> None:
    settings.WEBHOOK_TIMEOUT = 0.3
    with Receiver([behaviour]) as receiver:
        endpoint, secret = make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 1)
        now = clock.now()
        visit_at(now)
        row = WebhookDelivery.objects.get()
        assert (row.state, row.status_code, row.tries) == ("due", status, 1)
        assert row.error.startswith(error)
        endpoint.refresh_from_db()
        assert endpoint.failing_since == now
        # Not before its time.
        visit_at(now + timedelta(seconds=4))
        assert len(receiver.received) == 1
        settings.WEBHOOK_TIMEOUT = 10.0
        receiver.does(answer(200))
        visit_at(now + timedelta(seconds=5))
    row.refresh_from_db()
    assert (row.state, row.status_code, row.tries, row.error) == ("sent", 200, 2, "")
    healthy = WebhookEndpoint.objects.filter(failures=0, failing_since=None)
    assert healthy.get() == endpoint
    first, second = receiver.received
    assert (first.id, first.body) == (second.id, second.body)
    second.verified_with(secret)
    kept = json.dumps(list(WebhookDelivery.objects.values()), default=str)
    assert "nobody-may-see" not in kept + caplog.text


# -- nobody holds up another one --


def test_one_that_fails_is_asked_once_and_the_others_get_theirs(cast: Cast, settings: Settings) -> None:
    settings.WEBHOOK_TIMEOUT = 0.3
    with Receiver([hang]) as bad, Receiver() as good:
        make_endpoint(cast.organization, bad.url)
        make_endpoint(cast.outside, good.url)
        give_answers(cast.learner, cast.track, 60, response_ms=10)
        give_answers(cast.outsider, cast.outside_track, 60, response_ms=10)
        now = clock.now()
        visit_at(now)
        assert (len(bad.received), len(good.received)) == (1, 5)
        visit_at(now + timedelta(seconds=2))
        assert len(bad.received) == 1


def test_a_turn_is_short_and_the_next_one_is_another_ones(cast: Cast) -> None:
    order: list[str] = []

    def noting(name: str) -> Behaviour:
        def behave(receiver: Receiver, connection: socket.socket) -> None:
            order.append(name)
            answer(204)(receiver, connection)

        return behave

    with Receiver([noting("many")]) as many, Receiver([noting("few")]) as few:
        first, _ = make_endpoint(cast.organization, many.url)
        second, _ = make_endpoint(cast.outside, few.url)
        for endpoint, number in ((first, delivering.MOST_PER_VISIT + 5), (second, 3)):
            for _ in range(number):
                endpoints.send_test(endpoint.id, actor=ACTOR)
        visit()
    assert order == ["many"] * delivering.MOST_PER_VISIT + ["few"] * 3 + ["many"] * 5


def test_one_that_is_slow_rests(cast: Cast) -> None:
    endpoint, _ = make_endpoint(cast.organization, "https://hooks.example.com/")
    endpoints.send_test(endpoint.id, actor=ACTOR)
    now = clock.now()
    with clock.moved_to(now):
        made = delivering.Visit.next()
        assert made is not None
        made.sent = made.taken = 2
        made.began -= 12
        made.settle()
    endpoint.refresh_from_db()
    assert timedelta(seconds=29) < endpoint.held_until - now < timedelta(seconds=120)


def test_asking_for_a_test_does_not_wait_for_the_pause_nor_double_a_visit(cast: Cast) -> None:
    with Receiver([answer(500)]) as receiver:
        endpoint, _ = make_endpoint(cast.organization, receiver.url)
        endpoints.send_test(endpoint.id, actor=ACTOR)
        now = clock.now()
        for minutes in (0, 1, 3, 10):
            visit_at(now + timedelta(minutes=minutes))
        later = now + timedelta(minutes=11)
        endpoint.refresh_from_db()
        assert endpoint.held_until - later > WebhookEndpoint.LEASE
        receiver.does(answer(204))
        with clock.moved_to(later):
            endpoints.send_test(endpoint.id, actor=ACTOR)
        visit_at(later)
        assert "sent" in states()
        with clock.moved_to(later):
            endpoints.send_test(endpoint.id, actor=ACTOR)
            assert delivering.Visit.next()
            endpoints.send_test(endpoint.id, actor=ACTOR)
            assert delivering.Visit.next() is None


# -- switched off and on, and sent again --


def test_what_is_off_by_then_is_not_sent(cast: Cast, settings: Settings) -> None:
    with Receiver() as receiver:
        make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 1)
        settings.FEATURE_SWITCHES = settings.FEATURE_SWITCHES | {"manager_notifications": False}
        visit()
        assert WebhookDelivery.objects.get().error == delivering.SWITCHED_OFF
        assert receiver.received == []


def test_a_closed_organization_is_told_nothing(cast: Cast) -> None:
    with Receiver() as receiver:
        make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 1)
        close_organization(cast.organization, actor=ACTOR, reason="x")
        visit()
        assert (states(), receiver.received) == (["dropped"], [])


def test_one_is_sent_once_more_under_its_id(api: Api, cast: Cast) -> None:
    with Receiver() as receiver:
        endpoint, secret = make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 1)
        visit()
        [row] = WebhookDelivery.objects.all()
        replayed = api.post(f"/webhooks/{endpoint.id}/deliveries/{row.id}/replay", by=cast.admin)
        assert (replayed.status, replayed.body["state"], replayed.body["tries"]) == (202, "due", 0)
        visit()
        first, second = receiver.received
        assert (first.id, first.body) == (second.id, second.body)
        second.verified_with(secret)


def test_all_since_a_moment_are_sent_once_more(cast: Cast) -> None:
    with Receiver() as receiver:
        endpoint, _ = make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 1)
        visit()
        endpoints.change(endpoint.id, {"active": False}, actor=ACTOR)
        endpoints.change(endpoint.id, {"active": True}, actor=ACTOR)
        moment = clock.now()
        give_answers(cast.learner, cast.track, 60, response_ms=10)
        WebhookDelivery.objects.filter(state="due").update(state="dropped", finished_at=clock.now())
        assert endpoints.replay_since(endpoint.id, moment, also_taken=False, actor=ACTOR) == 4
        visit()
        assert len(receiver.received) == 5
        assert endpoints.replay_since(endpoint.id, moment, also_taken=False, actor=ACTOR) == 0
        assert endpoints.replay_since(endpoint.id, moment, also_taken=True, actor=ACTOR) == 4
        visit()
        assert len(receiver.received) == 9
        assert len({received.id for received in receiver.received}) == 5
    assert AuditEvent.objects.filter(type="webhook_replayed").count() == 2


def test_both_secrets_verify_while_they_overlap(api: Api, cast: Cast) -> None:
    with Receiver() as receiver:
        endpoint, former = make_endpoint(cast.organization, receiver.url)
        secret = api.post(f"/webhooks/{endpoint.id}/rotate-secret", by=cast.admin).body["secret"]
        endpoints.send_test(endpoint.id, actor=ACTOR)
        visit()
        [received] = receiver.received
        assert received.verified_with(secret) == received.verified_with(former)
        endpoints.rotate(endpoint.id, at_once=True, actor=ACTOR)
        endpoints.send_test(endpoint.id, actor=ACTOR)
        visit()
        for old in (former, secret):
            with pytest.raises(WebhookVerificationError):
                receiver.received[1].verified_with(old)


def test_a_new_address_gets_what_the_old_one_did_not_take(cast: Cast) -> None:
    with Receiver([answer(500)]) as old, Receiver() as new:
        endpoint, _ = make_endpoint(cast.organization, old.url)
        give_answers(cast.learner, cast.track, 1)
        visit()
        endpoints.change(endpoint.id, {"url": new.url}, actor=ACTOR)
        visit_at(clock.now() + timedelta(seconds=6))
        assert old.received[0].body == new.received[0].body


# -- names, and what is long past --


def test_a_name_that_is_erased_is_sent_no_more(cast: Cast) -> None:
    with Receiver([answer(500)]) as receiver:
        make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 1)
        give_answers(cast.colleague, cast.track, 1)
        visit()
        erase_learner(cast.learner.id, actor=ACTOR, reason="x")
        receiver.does(answer(204))
        receiver.received.clear()
        visit_at(clock.now() + timedelta(minutes=1))
        told = {body["data"]["learnerId"]: body["data"]["learnerName"] for body in bodies(receiver)}
        assert told == {str(cast.learner.id): "", str(cast.colleague.id): "Jonas Weber"}


def test_the_cleanup_takes_what_is_long_past(cast: Cast) -> None:
    with Receiver() as receiver:
        endpoint, _ = make_endpoint(cast.organization, receiver.url)
        gone, _ = make_endpoint(cast.organization, receiver.url)
        for each in (endpoint, gone):
            endpoints.send_test(each.id, actor=ACTOR)
        visit()
        endpoints.delete(gone.id, actor=ACTOR)
        endpoints.disable(endpoint, DisabledReason.GONE, actor=ACTOR)
        mail_owed()
        endpoints.change(endpoint.id, {"active": True}, actor=ACTOR)
        give_answers(cast.learner, cast.track, 1)
    assert clean_up() == "Deleted 0 webhook deliveries, 0 notices and 0 endpoints."
    with clock.moved_to(clock.now() + timedelta(days=30, seconds=1)):
        assert clean_up() == "Deleted 2 webhook deliveries, 1 notices and 1 endpoints."
    assert (states(), WebhookEndpoint.objects.get()) == (["due"], endpoint)
