"""Webhooks that take nothing: tried for a day, then disabled, and the organization's admins are told."""

import socket
from datetime import timedelta

import pytest
from django.core import mail
from django_q.models import OrmQ
from pytest_django import Settings

from audit.models import AuditEvent
from cerply import clock
from cerply.encryption import KeyUnavailable
from cerply.permissions import Role
from notifications.models import (
    DisabledReason,
    WebhookDelivery,
    WebhookNotice,
    Withheld,
)
from notifications.suppressing import suppress
from notifications.webhooks import delivering, endpoints
from notifications.webhooks.delivering import deliver
from notifications.webhooks.noticing import mail_owed
from tests.api.client import Api
from tests.factories import ACTOR, Cast, give_answers, make_user
from tests.notifications.receivers import Receiver, answer
from tests.notifications.webhooks import make_endpoint, states, visit, visit_at

pytestmark = pytest.mark.usefixtures("loopback")

DAY = timedelta(days=1)
NOWHERE = {"host": "127.0.0.1", "port": 1, "timeout": 1}


def test_the_whole_day_is_tried_and_then_it_is_disabled_and_the_admins_are_told(api: Api, cast: Cast) -> None:
    other_admin = make_user(cast.organization, Role.ADMIN, is_active=False)
    with Receiver([answer(500)]) as receiver:
        endpoint, _ = make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 1)
        began = moment = clock.now()
        visit_at(moment)
        for pause in WebhookDelivery.PAUSES:
            endpoint.refresh_from_db()
            assert endpoint.is_active
            moment += pause
            visit_at(moment)
        assert len(receiver.received) == len(WebhookDelivery.PAUSES) + 1 == 11
        assert len({received.id for received in receiver.received}) == 1
        assert DAY < moment - began < DAY * 1.1
    row = WebhookDelivery.objects.get()
    assert (row.state, row.error, row.tries) == ("dead", "It answered 500.", 11)
    said = Api().get(f"/webhooks/{endpoint.id}", by=cast.admin).body
    assert (said["state"], said["disabledReason"], said["disabledAt"]) == ("disabled", "failing", clock.rfc3339(moment))
    [event] = AuditEvent.objects.filter(type="webhook_disabled")
    assert (event.actor_label, event.metadata) == ("deliver_webhooks", {"reason": "failing"})
    with clock.moved_to(moment):
        assert mail_owed() == "Mailed 1 notices of webhooks."
        assert mail_owed() == "Mailed 0 notices of webhooks."
    [message] = mail.outbox
    assert message.to == [cast.admin.email] != [other_admin.email]
    assert message.subject == f"Your webhook at http://127.0.0.1:{receiver.port} was disabled"
    assert "taken nothing for a day" in str(message.body)
    assert "from=cerply" not in str(message.body)


def test_what_comes_up_while_it_fails_waits_and_is_dropped_when_it_is_disabled(cast: Cast) -> None:
    with Receiver([answer(500)]) as receiver:
        endpoint, _ = make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 1)
        now = clock.now()
        visit_at(now)
        give_answers(cast.learner, cast.track, 20)
        visit_at(now + timedelta(seconds=1))
        assert len(receiver.received) == 1
        # A worker that comes once in a day is as strict as one that comes each minute.
        visit_at(now + DAY)
        assert len(receiver.received) == 2
        endpoint.refresh_from_db()
        assert not endpoint.is_active
        with clock.moved_to(now + DAY):
            assert deliver() == f"Delivered 0 webhooks; 0 were not taken, {len(states())} dropped."
    assert set(states()) == {"dropped"}
    assert {row.error for row in WebhookDelivery.objects.all()} == {delivering.NOT_ACTIVE}


def test_one_that_takes_something_is_not_disabled(cast: Cast) -> None:
    """A message that it never takes is given up alone."""
    with Receiver() as receiver:
        endpoint, _ = make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 1)
        [poison] = WebhookDelivery.objects.all()

        def choosy(receiver: Receiver, connection: socket.socket) -> None:
            refused = receiver.received[-1].id == str(poison.id)
            answer(500 if refused else 204)(receiver, connection)

        receiver.does(choosy)
        while poison.state == "due":
            endpoints.send_test(endpoint.id, actor=ACTOR)
            for seconds in (0, 5):
                visit_at(poison.due_at + timedelta(seconds=seconds))
            poison.refresh_from_db()
    endpoint.refresh_from_db()
    assert (poison.state, endpoint.state) == ("dead", "active")
    assert "sent" in states()
    assert not WebhookNotice.objects.exists()


def test_gone_disables_at_once(cast: Cast) -> None:
    with Receiver([answer(410)]) as receiver:
        endpoint, _ = make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 21)
        visit()
        assert len(receiver.received) == 1
    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.disabled_reason) == ("disabled", "gone")
    assert "dead" in states()
    mail_owed()
    assert "answered that it is gone" in str(mail.outbox[0].body)


def test_a_notice_is_owed_until_the_mail_server_takes_it(cast: Cast, settings: Settings) -> None:
    endpoint, _ = make_endpoint(cast.organization, "https://hooks.example.com/")
    endpoints.disable(endpoint, DisabledReason.GONE, actor=ACTOR)
    assert OrmQ.objects.order_by("-id")[0].task["func"] == "notifications.webhooks.noticing.mail_owed"
    mailers = settings.MAILERS
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": NOWHERE}}
    assert mail_owed() == "The mail server takes nothing, and notices of webhooks wait."
    assert (WebhookNotice.objects.get().state, WebhookNotice.objects.get().tries) == ("due", 0)
    settings.MAILERS = mailers
    assert mail_owed() == "Mailed 1 notices of webhooks."


def test_nothing_is_mailed_to_an_address_that_takes_no_mail(cast: Cast) -> None:
    endpoint, _ = make_endpoint(cast.organization, "https://hooks.example.com/")
    endpoints.disable(endpoint, DisabledReason.GONE, actor=ACTOR)
    suppress(cast.admin.email, Withheld.BOUNCE, actor=ACTOR)
    mail_owed()
    assert (mail.outbox, WebhookNotice.objects.get().state) == ([], "dropped")


def test_who_is_no_admin_any_more_gets_no_notice(cast: Cast) -> None:
    endpoint, _ = make_endpoint(cast.organization, "https://hooks.example.com/")
    endpoints.disable(endpoint, DisabledReason.GONE, actor=ACTOR)
    cast.admin.role = Role.LEARNER
    cast.admin.save(update_fields=["role"])
    mail_owed()
    assert (mail.outbox, WebhookNotice.objects.get().state) == ([], "dropped")


def test_without_the_key_of_its_secret_nothing_is_tried_for_that_is_not_its_doing(
    cast: Cast, settings: Settings
) -> None:
    keys = settings.KEY_ENCRYPTION_KEYS
    with Receiver() as receiver:
        endpoint, _ = make_endpoint(cast.organization, receiver.url)
        give_answers(cast.learner, cast.track, 1)
        settings.KEY_ENCRYPTION_KEYS = [bytes(range(32))]
        for hour in range(30):
            with pytest.raises(KeyUnavailable):
                visit_at(clock.now() + timedelta(hours=hour))
        endpoint.refresh_from_db()
        assert (endpoint.is_active, endpoint.failures, WebhookDelivery.objects.get().tries) == (True, 0, 0)
        settings.KEY_ENCRYPTION_KEYS = keys
        visit_at(clock.now() + timedelta(hours=30))
        assert len(receiver.received) == 1
