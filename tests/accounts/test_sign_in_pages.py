"""Signing in and out in a browser, by the rules of the API."""

import re
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import Settings

from audit.models import AuditEvent
from cerply.accounts.people import change_person
from cerply.accounts.sentences import SENTENCES
from cerply.accounts.signing_in import AMBIGUOUS, WRONG
from cerply.languages import LANGUAGES
from tests.api.client import Api
from tests.factories import ACTOR, Cast, make_staff, make_user

PASSWORD = "correct horse battery"


@pytest.fixture
def people(cast: Cast) -> Cast:
    for user in (cast.manager, cast.learner):
        user.set_password(PASSWORD)
        user.save()
    return cast


def submit(client: Client, query: str = "", **fields: str) -> Any:
    """Loads the page to sign in, and sends its form."""
    page = unescape(client.get(f"/sign-in{query}").content.decode())
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    return client.post("/sign-in", {**hidden, **fields})


def browser(**options: Any) -> Client:
    return Client(enforce_csrf_checks=True, **options)


def test_signing_in_leads_to_the_inbox_and_signing_out_back(people: Cast) -> None:
    client = browser()
    answer = submit(client, email=people.manager.email.upper(), password=PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/inbox")
    page = client.get("/inbox").content.decode()
    assert people.manager.name in page
    assert client.get("/sign-in").headers["Location"] == "/inbox"
    assert "You are signed in as Tomás Ferreira." in client.get("/sign-out").content.decode()
    [token, *_] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    answer = client.post("/sign-out", {"csrfmiddlewaretoken": token})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert client.get("/inbox").status_code == 302
    types = AuditEvent.objects.order_by("id").values_list("type", flat=True)
    assert list(types) == ["signed_in", "signed_out"]


def test_to_look_at_the_pages_signs_nobody_in_or_out(people: Cast) -> None:
    client = browser()
    client.force_login(people.manager)
    events = AuditEvent.objects.count()
    for path in ("/sign-out", f"/sign-in?email={people.learner.email}&password={PASSWORD}"):
        client.get(path)
        client.head(path)
    assert client.get("/inbox").status_code == 200
    assert AuditEvent.objects.count() == events


def test_who_is_signed_out_is_sent_to_sign_in(people: Cast) -> None:
    assert Client().get("/sign-out").headers["Location"] == "/sign-in"
    client = browser()
    client.get("/sign-in")
    token = client.cookies["csrftoken"].value
    assert client.post("/sign-out", headers={"X-CSRFToken": token}).headers["Location"] == "/sign-in"


@pytest.mark.parametrize("email", ["nobody@example.com", "a'--@example.com", "%s"])
def test_who_does_not_match_stays_out_and_is_audited(people: Cast, email: str) -> None:
    for address in (email, people.manager.email):
        client = browser()
        answer = submit(client, email=address, password="wrong")
        assert answer.status_code == 401
        assert WRONG in answer.content.decode()
        assert "wrong" not in answer.content.decode()
        assert "sessionid" not in client.cookies
    failed = AuditEvent.objects.filter(type="sign_in_failed").order_by("id")
    assert [event.metadata["email"] for event in failed] == [email, people.manager.email]


@pytest.mark.parametrize(
    "fields",
    [{}, {"email": "a@example.com"}, {"password": "x"}, {"email": "a\0b", "password": "x"}]
    + [{"email": "x" * 300, "password": "x"}, {"email": "a@example.com", "password": "x", "organization": "all"}],
    ids=str,
)
def test_what_is_missing_or_malformed_is_asked_for_again(people: Cast, fields: dict[str, str]) -> None:
    answer = submit(browser(), **fields)
    assert answer.status_code == 400
    assert "Give your e-mail address and your password." in answer.content.decode()


def test_the_organization_is_asked_for_where_nothing_else_can_tell(people: Cast) -> None:
    twin = make_user(people.outside, email=people.manager.email, password=PASSWORD)
    make_user(people.outside, email="other@example.com", password=PASSWORD)
    client = browser()
    answer = submit(client, email=twin.email, password=PASSWORD)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert AMBIGUOUS.rstrip(".") in page
    assert re.findall(r'<option value="([^"]+)">(.*?)</option>', page) == [
        (str(people.organization.id), "Nordlys Energy"),
        (str(people.outside.id), "Outside Ltd"),
    ]
    assert PASSWORD not in page
    assert submit(client, email=twin.email, password=PASSWORD, organization=str(people.outside.id)).status_code == 303
    assert client.get("/inbox").wsgi_request.user == twin


def test_organizations_are_told_to_nobody_who_has_not_the_password(people: Cast) -> None:
    make_user(people.outside, email=people.manager.email, password=PASSWORD)
    page = submit(browser(), email=people.manager.email, password="wrong").content.decode()
    assert "Nordlys" not in page
    assert "Outside" not in page


def test_staff_and_the_deactivated(people: Cast) -> None:
    staff = make_staff(password=PASSWORD)
    client = browser()
    assert submit(client, email=staff.email, password=PASSWORD).status_code == 303
    change_person(people.manager.id, {"active": False}, actor=ACTOR)
    assert submit(browser(), email=people.manager.email, password=PASSWORD).status_code == 401


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/inbox/0190-1?show=badge&page=2", "/inbox/0190-1?show=badge&page=2"),
        ("/", "/"),
        ("https://evil.example/inbox", "/inbox"),
        ("//evil.example/inbox", "/inbox"),
        ("/\\evil.example", "/inbox"),
        ("\\\\evil.example", "/inbox"),
        ("/\t/evil.example", "/inbox"),
        ("javascript:alert(1)", "/inbox"),
        ("inbox", "/inbox"),
        ("", "/inbox"),
        ("/" + "x" * 3000, "/inbox"),
        ("/\r\nSet-Cookie: a=b", "/inbox"),
    ],
)
def test_one_is_led_on_within_this_site_alone(people: Cast, asked: str, led_to: str) -> None:
    client = browser()
    answer = submit(client, f"?next={quote(asked)}", email=people.manager.email, password=PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (303, led_to)
    assert client.get(f"/sign-in?next={quote(asked)}").headers["Location"] == led_to


def test_where_one_was_going_outlives_a_wrong_password_and_another_language(people: Cast) -> None:
    client = browser()
    page = submit(client, "?next=/inbox/1", email=people.manager.email, password="wrong").content.decode()
    assert 'name="next" value="/inbox/1"' in page
    assert f'value="{people.manager.email}"' in page
    assert 'href="?lang=de&amp;next=%2Finbox%2F1"' in page


def test_without_its_token_the_form_signs_nobody_in(people: Cast) -> None:
    client = browser()
    answer = client.post("/sign-in", {"email": people.manager.email, "password": PASSWORD})
    assert answer.status_code == 403
    assert "The page was open for too long" in answer.content.decode()
    assert not Session.objects.exists()
    assert not AuditEvent.objects.exists()


def test_the_session_is_a_new_one(people: Cast) -> None:
    """Whatever cookie somebody planted before."""
    client = browser()
    client.force_login(people.learner)
    before = client.cookies["sessionid"].value
    client.get("/sign-out")
    token = client.cookies["csrftoken"].value
    fields = {"email": people.manager.email, "password": PASSWORD}
    assert client.post("/sign-in", fields, headers={"X-CSRFToken": token}).status_code == 303
    assert client.cookies["sessionid"].value != before
    assert client.get("/inbox").wsgi_request.user == people.manager


def test_tries_are_counted_by_address_with_those_of_the_api(people: Cast, settings: Settings) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"sign_in": "2/minute"}
    assert submit(browser(), email=people.manager.email, password="wrong").status_code == 401
    body = {"email": people.manager.email, "password": "wrong"}
    assert Api().post("/auth/login", body).status == 401
    answer = submit(browser(), email=people.manager.email, password=PASSWORD)
    assert answer.status_code == 429
    assert "Too many requests" in answer.content.decode()
    assert int(answer.headers["Retry-After"]) > 0
    assert Api().post("/auth/login", body).status == 429


def test_tries_are_counted_by_email_with_those_of_the_api(people: Cast, settings: Settings) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"sign_in_email": "1/minute"}
    assert Api().post("/auth/login", {"email": people.manager.email, "password": "wrong"}).status == 401
    answer = submit(browser(REMOTE_ADDR="192.0.2.7"), email=people.manager.email.upper(), password=PASSWORD)
    assert answer.status_code == 429


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_speaks_the_visitors_language(people: Cast, language: str) -> None:
    direction = "rtl" if language == "ar" else "ltr"
    for client, query in ((browser(), f"?lang={language}"), (browser(headers={"Accept-Language": language}), "")):
        answer = client.get(f"/sign-in{query}")
        page = answer.content.decode()
        assert f'<html lang="{language}" dir="{direction}">' in page
        assert f"<h1>{SENTENCES[language]['sign_in']}</h1>" in page
        assert answer.headers["Content-Language"] == language
    assert SENTENCES.keys() == LANGUAGES.keys()


def test_every_sentence_is_there_in_every_language() -> None:
    for key, english in SENTENCES["en"].items():
        for sentences in SENTENCES.values():
            assert set(re.findall(r"{\w+}", sentences[key])) == set(re.findall(r"{\w+}", english)), key
    assert SENTENCES["en"]["wrong"] == WRONG


def test_its_headers(people: Cast) -> None:
    for path in ("/sign-in", "/sign-in?next=/inbox"):
        headers = browser().get(path).headers
        assert headers["Cache-Control"] == "private, no-store"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert browser().put("/sign-in").status_code == 405


def test_while_the_database_is_away_it_says_so(people: Cast) -> None:
    def away(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        raise OperationalError("away")

    client = browser()
    client.force_login(people.manager)
    with connection.execute_wrapper(away):
        answer = client.get("/inbox")
    assert answer.status_code == 503
    assert "Not available at the moment" in answer.content.decode()
