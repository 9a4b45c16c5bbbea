"""Why somebody did or did not get an e-mail, as the API and the admin say it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from audit.models import AuditEvent
from cerply import clock
from notifications import collecting, delivery
from notifications.models import Delivery, NotificationPolicy, OutgoingMail, SuppressedAddress, Withheld
from notifications.preferring import unsubscribe
from notifications.suppressing import suppress
from ops.outbox import OutboxState
from tests.api.client import Api
from tests.factories import ACTOR, Cast
from tests.notifications.events import happen, outcome, prefer, subscription_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def run(minutes: float = 5) -> None:
    with clock.moved_to(NOON + timedelta(minutes=minutes)):
        delivery.mail_owed()


def why(api: Api, cast: Cast, row: Any) -> dict[str, Any]:
    answer = api.get(f"/manager/notifications/{row.id}", by=cast.manager)
    assert answer.status == 200
    return dict(answer.body["delivery"])


def test_what_is_sent_says_when(api: Api, cast: Cast) -> None:
    row = happen(cast.learner, "badge", NOON)
    assert why(api, cast, row) == {
        "state": "waiting",
        "dueAt": "2026-11-24T12:02:00.000000Z",
        "sentAt": None,
        "reason": None,
        "explanation": "",
    }
    run()
    sent = {"state": "sent", "dueAt": None, "sentAt": "2026-11-24T12:05:00.000000Z", "reason": None, "explanation": ""}
    assert why(api, cast, row) == sent
    body = api.get(f"/manager/notifications/{row.id}", by=cast.manager).body
    listed = api.get("/manager/notifications", by=cast.manager).body["notifications"][0]
    assert {name: value for name, value in body.items() if name != "delivery"} == listed


def test_what_is_held_says_for_when(api: Api, cast: Cast) -> None:
    prefer(cast.manager, "daily")
    row = happen(cast.learner, "badge", NOON)
    for minutes in (1, 5):
        with clock.moved_to(NOON + timedelta(minutes=minutes)):
            said = why(api, cast, row)
        assert (said["state"], said["dueAt"]) == ("held", "2026-11-25T08:00:00.000000Z")
        run()


def test_what_is_not_sent_says_why(api: Api, cast: Cast) -> None:
    unsubscribe(subscription_of(cast.manager), actor=ACTOR)
    row = happen(cast.learner, "badge", NOON)
    run()
    said = why(api, cast, row)
    assert (said["state"], said["reason"]) == ("not_sent", "unsubscribed")
    assert said["explanation"] == "The manager has unsubscribed from all e-mail."


def test_what_came_before_there_was_e_mail_says_so(api: Api, cast: Cast) -> None:
    row = happen(cast.learner, "badge", NOON)
    Delivery.objects.all().delete()
    assert why(api, cast, row)["reason"] == "predates"


def test_it_is_hers_alone(api: Api, cast: Cast) -> None:
    path = f"/manager/notifications/{happen(cast.learner, 'badge', NOON).id}"
    assert api.get(path).status == 401
    assert [api.get(path, by=who).status for who in (cast.learner, cast.auditor)] == [403, 403]
    assert [api.get(path, by=who).status for who in (cast.admin, cast.outside_manager)] == [404, 404]
    assert api.get("/manager/notifications/x", by=cast.manager).status == 400


# -- the admin --


def page(console: Client, path: str) -> str:
    answer = console.get(f"/admin/notifications/{path}")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def given_up(cast: Cast) -> OutgoingMail:
    happen(cast.learner, "badge", NOON)
    with clock.moved_to(NOON + timedelta(minutes=5)):
        collecting.collect()
    mail = OutgoingMail.objects.get()
    mail.tries = 6
    mail.finish(OutboxState.DEAD, "451 Out of order")
    mail.save()
    mail.deliveries.update(state="withheld", reason=Withheld.GAVE_UP, settled_at=NOON)
    return mail


def test_staff_see_what_the_manager_sees(console: Client, cast: Cast, given_up: OutgoingMail) -> None:
    row = given_up.deliveries.get().notification
    said = page(console, f"managernotification/{row.id}/change/")
    assert "not sent" in said
    assert Withheld.GAVE_UP.label in said
    assert f"/admin/notifications/outgoingmail/{given_up.id}/change/" in said
    assert "not sent" in page(console, "managernotification/")
    assert str(row.id) in page(console, f"managernotification/?delivery__mail__id__exact={given_up.id}")


def test_staff_find_what_was_given_up_and_send_it_again(console: Client, cast: Cast, given_up: OutgoingMail) -> None:
    assert "451 Out of order" in page(console, "outgoingmail/?state__exact=dead")
    assert "451 Out of order" in page(console, f"outgoingmail/?q={cast.manager.email}")
    assert "Send again" in page(console, f"outgoingmail/{given_up.id}/change/")
    assert "given up after 6 tries" in page(console, f"outgoingmail/{given_up.id}/send-again/")
    console.post(f"/admin/notifications/outgoingmail/{given_up.id}/send-again/")
    run(60 * 24 * 365)
    assert (len(mail.outbox), outcome(given_up.deliveries.get().notification)) == (1, ("sent", ""))
    assert "Send again" not in page(console, f"outgoingmail/{given_up.id}/change/")


def test_staff_release_an_address(console: Client, cast: Cast) -> None:
    suppress(cast.manager.email, Withheld.BOUNCE, actor=ACTOR)
    row = SuppressedAddress.objects.get()
    assert cast.manager.email in page(console, f"suppressedaddress/?q={cast.manager.email.upper()}")
    assert cast.manager.name in page(console, f"suppressedaddress/{row.id}/change/")
    console.post(f"/admin/notifications/suppressedaddress/{row.id}/release/", {"reason": "Mailbox was made"})
    assert not SuppressedAddress.objects.holding().exists()
    assert AuditEvent.objects.get(type="address_released").actor_label == "staff"


def test_staff_decide_for_an_organization(console: Client, cast: Cast) -> None:
    values = {
        "organization": cast.organization.id,
        "frequency": "daily",
        "types": ["badge", "certificate"],
        "digest_hour": 7,
        "digest_weekday": 1,
        "locked": "on",
    }
    assert console.post("/admin/notifications/notificationpolicy/add/", values | {"digest_hour": 24}).status_code == 200
    assert not NotificationPolicy.objects.exists()
    assert console.post("/admin/notifications/notificationpolicy/add/", values).status_code == 302
    policy = NotificationPolicy.objects.get()
    assert (policy.frequency, policy.types, policy.digest_hour, policy.locked) == (
        "daily",
        ["badge", "certificate"],
        7,
        True,
    )
    path = f"/admin/notifications/notificationpolicy/{cast.organization.id}/change/"
    assert "Nordlys" in page(console, "notificationpolicy/?q=nordlys")
    console.post(path, values | {"frequency": "weekly", "initial-frequency": "daily"})
    assert NotificationPolicy.objects.get().frequency == "weekly"
    event = AuditEvent.objects.filter(type="notification_policy_changed").latest("id")
    assert event.metadata["changes"] == {"frequency": {"before": "daily", "after": "weekly"}}


def test_staff_see_what_holds_for_a_manager(console: Client, cast: Cast) -> None:
    prefer(cast.manager, "daily")
    path = f"notificationpreference/{cast.manager.id}/change/"
    assert "Daily, set by the manager" in page(console, path)
    unsubscribe(subscription_of(cast.manager), actor=ACTOR)
    assert "she has unsubscribed" in page(console, path)
