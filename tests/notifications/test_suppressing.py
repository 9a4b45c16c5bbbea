"""Providers: mail goes out through their API, and what they tell of bounces stops the next one."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from anymail.signals import AnymailTrackingEvent
from django.core.exceptions import SuspiciousOperation
from django.test import RequestFactory
from pytest_django import Settings

from audit.models import AuditEvent
from cerply import clock
from cerply.env import Env
from cerply.errors import Conflict
from cerply.mail_providers import PROVIDERS, mailer_of
from notifications import delivery, suppressing
from notifications.mail_events import view_of
from notifications.models import OutgoingMail, SuppressedAddress, Withheld
from notifications.preferring import wish_of
from notifications.suppressing import release, suppress
from tests.api.client import Api
from tests.factories import ACTOR, Cast, make_cast, make_user
from tests.mail_server import free_port
from tests.notifications.events import happen, outcome, subscription_of
from tests.processes import run_python
from tests.threads import at_once

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECRET = "postmark:a-long-word-that-only-the-provider-has"


class Provider:
    """Speaks as Postmark's API does."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.status = 200
        self.answer: dict[str, Any] = {"ErrorCode": 0, "Message": "OK", "MessageID": "b7bc2f4a"}
        # Whether it takes mail without a word, and how.
        self.is_silent = self.hangs = False


@contextmanager
def running(provider: Provider) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if provider.status == 200:
                provider.taken.append(body)
            if provider.is_silent:
                if provider.hangs:
                    self.rfile.read(1)
                self.close_connection = True
                return
            sent = json.dumps(provider.answer | {"To": body.get("To", "")}).encode()
            self.send_response(provider.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    provider = Provider()
    with running(provider) as url:
        settings.MAILERS = {"default": mailer_of(f"postmark://server-token@?api_url={url}")}
        settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}
        yield provider


def run(hours: float = 1) -> str:
    with clock.moved_to(NOON + timedelta(hours=hours)):
        return delivery.mail_owed()


def tell(event: dict[str, Any], secret: str = SECRET) -> int:
    """What the provider posts; returns the status of our answer."""
    authorization = f"Basic {b64encode(secret.encode()).decode()}" if secret else ""
    request = RequestFactory().post(
        "/mail-events", json.dumps(event), content_type="application/json", headers={"Authorization": authorization}
    )
    try:
        return view_of("postmark")(request).status_code
    except SuspiciousOperation:
        return 400


def bounce(email: str, type_: str = "HardBounce", message_id: str = "b7bc2f4a") -> dict[str, Any]:
    return {
        "RecordType": "SpamComplaint" if type_ == "SpamComplaint" else "Bounce",
        "Type": type_,
        "TypeCode": {"HardBounce": 1, "SoftBounce": 4096, "SpamComplaint": 512}[type_],
        "Email": email,
        "MessageID": message_id,
        "BouncedAt": "2026-11-24T12:00:00Z",
        "ID": 42,
    }


def test_one_setting_has_it_go_out_through_a_provider(cast: Cast, provider: Provider) -> None:
    row = happen(cast.learner, "badge", NOON)
    run()
    [sent] = provider.taken
    headers = {header["Name"]: header["Value"] for header in sent["Headers"]}
    assert sent["To"] == cast.manager.email
    assert headers["Message-ID"] == f"<{row.id}@127.0.0.1>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert sent["HtmlBody"].startswith("<!DOCTYPE html>")
    assert (outcome(row), OutgoingMail.objects.get().provider_id) == (("sent", ""), "b7bc2f4a")


@pytest.mark.parametrize(
    ("status", "code", "state", "tries"),
    [(500, 0, "due", 1), (429, 0, "due", 1), (401, 10, "due", 0), (422, 412, "dead", 1)],
)
def test_what_a_provider_s_refusal_means(
    cast: Cast, provider: Provider, status: int, code: int, state: str, tries: int
) -> None:
    happen(cast.learner, "badge", NOON)
    provider.status, provider.answer = status, {"ErrorCode": code, "Message": "No"}
    run()
    mail = OutgoingMail.objects.get()
    assert (mail.state, mail.tries) == (state, tries)
    assert cast.manager.email not in mail.error


@pytest.mark.parametrize("hangs", [True, False], ids=["hangs", "hangs up"])
def test_a_provider_that_took_it_and_did_not_say_so_is_not_asked_each_minute(
    cast: Cast, provider: Provider, settings: Settings, hangs: bool
) -> None:
    settings.ANYMAIL = settings.ANYMAIL | {"REQUESTS_TIMEOUT": 0.3}
    provider.hangs, provider.is_silent = hangs, True
    row = happen(cast.learner, "badge", NOON)
    for minute in range(4):
        run(1 + minute / 60)
    mail = OutgoingMail.objects.get()
    assert (len(provider.taken), mail.tries) == (2, 2)
    assert mail.error == "NotNow: The provider did not answer: it may have taken it."
    provider.is_silent = False
    run(2)
    assert outcome(row) == ("sent", "")
    ids = {header["Value"] for sent in provider.taken for header in sent["Headers"] if header["Name"] == "Message-ID"}
    assert len(ids) == 1


def test_a_provider_that_is_not_there_costs_no_try(cast: Cast, settings: Settings) -> None:
    settings.MAILERS = {"default": mailer_of(f"postmark://server-token@?api_url=http://127.0.0.1:{free_port()}/")}
    happen(cast.learner, "badge", NOON)
    run()
    mail = OutgoingMail.objects.get()
    assert (mail.state, mail.tries) == ("due", 0)


def test_who_is_on_the_provider_s_own_list_is_on_ours(cast: Cast, provider: Provider) -> None:
    row = happen(cast.learner, "badge", NOON)
    said = (
        "You tried to send to a recipient that has been marked as inactive.\nFound inactive addresses: {}.\n"
        "Inactive recipients are ones that have generated a hard bounce or a spam complaint."
    )
    provider.status = 422
    provider.answer = {"ErrorCode": 406, "Message": said.format(cast.manager.email)}
    run()
    assert outcome(row) == ("withheld", "bounce")
    assert SuppressedAddress.objects.holding().of(cast.manager.email).exists()


# -- what it tells --


@pytest.mark.parametrize(("type_", "reason"), [("HardBounce", "bounce"), ("SpamComplaint", "complaint")])
def test_a_bounce_stops_the_next_mail_and_says_why_the_last_did_not_come(
    api: Api, cast: Cast, provider: Provider, type_: str, reason: str
) -> None:
    row = happen(cast.learner, "badge", NOON)
    run()
    for _ in range(2):
        assert tell(bounce(cast.manager.email.upper(), type_)) == 200
    assert SuppressedAddress.objects.get().reason == reason
    assert AuditEvent.objects.filter(type="address_suppressed", actor_label="mail provider").count() == 1
    said = api.get(f"/manager/notifications/{row.id}", by=cast.manager).body["delivery"]
    assert (said["state"], said["reason"]) == (("not_sent", "bounce") if reason == "bounce" else ("sent", None))
    assert api.get("/manager/notification-preferences", by=cast.manager).body["undeliverable"] == reason
    second = happen(cast.learner, "certificate", NOON + timedelta(hours=2))
    run(3)
    assert (outcome(second), len(provider.taken)) == (("withheld", reason), 1)


def test_a_full_mailbox_is_no_reason(cast: Cast, provider: Provider) -> None:
    assert tell(bounce(cast.manager.email, "SoftBounce")) == 200
    assert not SuppressedAddress.objects.exists()


@pytest.mark.parametrize("secret", ["", "postmark:wrong", "x"])
def test_nobody_else_tells_us_anything(cast: Cast, provider: Provider, secret: str) -> None:
    assert tell(bounce(cast.manager.email), secret) == 400
    assert not SuppressedAddress.objects.exists()


def test_an_address_that_is_nobody_s_is_kept_all_the_same(cast: Cast, provider: Provider) -> None:
    assert tell(bounce("nobody@example.com")) == 200
    assert SuppressedAddress.objects.get().address == "nobody@example.com"


def test_who_unsubscribes_at_the_provider_has_unsubscribed(cast: Cast) -> None:
    subscription_of(cast.manager)
    event = AnymailTrackingEvent(event_type="unsubscribed", recipient=cast.manager.email.upper())
    suppressing.hear(event)
    suppressing.hear(event)
    assert wish_of(cast.manager).unsubscribed_at
    assert AuditEvent.objects.filter(type="unsubscribed").count() == 1


def test_a_released_address_gets_mail_again_and_can_bounce_again(cast: Cast) -> None:
    suppress(cast.manager.email, Withheld.BOUNCE, actor=ACTOR)
    row = SuppressedAddress.objects.get()
    release(row.id, actor=ACTOR, reason="Mailbox was made")
    with pytest.raises(Conflict):
        release(row.id, actor=ACTOR, reason="Again")
    assert not SuppressedAddress.objects.holding().exists()
    assert AuditEvent.objects.get(type="address_released").metadata == {"why": "bounce", "reason": "Mailbox was made"}
    assert suppress(cast.manager.email, Withheld.BOUNCE, actor=ACTOR)
    assert SuppressedAddress.objects.count() == 2


def test_whoever_else_has_the_address_is_not_written_to_either(cast: Cast) -> None:
    make_user(cast.outside, email=cast.manager.email)
    suppress(cast.manager.email, Withheld.BOUNCE, actor=ACTOR)
    events = AuditEvent.objects.filter(type="address_suppressed")
    assert {event.organization_id for event in events} == {cast.organization.id, cast.outside.id}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_many_bounces_at_once_suppress_once() -> None:
    cast = make_cast()
    done = at_once([lambda: suppress(cast.manager.email, Withheld.BOUNCE, actor=ACTOR)] * 6)
    assert sorted(done) == [False] * 5 + [True]
    assert AuditEvent.objects.filter(type="address_suppressed").count() == 1


@pytest.mark.parametrize("name", PROVIDERS)
def test_each_provider_is_heard_with_what_it_shows_and_a_stranger_is_not(
    db: None, settings: Settings, name: str
) -> None:
    env = Env(
        {
            "CERPLY_ENV": "test",
            "EMAIL_URL": f"{name}://key@",
            "MAIL_EVENT_SECRET": SECRET,
            "MAIL_EVENT_SIGNING_KEY": "signs",
        }
    )
    settings.ANYMAIL = {
        "WEBHOOK_SECRET": env.mail_event_secret("MAIL_EVENT_SECRET", "EMAIL_URL"),
        **env.mail_event_signing("MAIL_EVENT_SIGNING_KEY", "EMAIL_URL"),
    }
    hear = view_of(name)
    assert hear(RequestFactory().head("/mail-events")).status_code == 200
    with pytest.raises(SuspiciousOperation):
        hear(RequestFactory().post("/mail-events", "[]", content_type="application/json"))


def test_a_provider_that_signs_is_not_named_without_its_key() -> None:
    env = Env({"CERPLY_ENV": "production", "EMAIL_URL": "mailersend://key@"})
    with pytest.raises(SystemExit, match="MAIL_EVENT_SIGNING_KEY is not set to the key"):
        env.mail_event_signing("MAIL_EVENT_SIGNING_KEY", "EMAIL_URL")


ASKED = """
from django.test import Client
print(*(Client().post("/mail-events", b"[]", content_type="application/json",
                      headers={"Authorization": value}).status_code for value in ("", "Basic cG06YS1sb25nLXdvcmQ=")))
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_its_address_is_there_where_a_provider_is_named_and_not_where_none_is() -> None:
    named = run_python(ASKED, EMAIL_URL="sparkpost://key@", MAIL_EVENT_SECRET="pm:a-long-word")
    assert named.stdout.split() == ["400", "200"]
    assert run_python(ASKED).stdout.split() == ["404", "404"]
