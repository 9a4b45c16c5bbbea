"""The link in each mail by which somebody says: no more."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.signing import Signer
from django.test import Client
from pytest_django import Settings

from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.models import User
from cerply.permissions import Role
from notifications import delivery
from notifications.models import MailSubscription
from notifications.preferring import PURPOSE, decide_policy, subscriber, unsubscribe_token, wish_of
from tests.factories import ACTOR, Cast, make_user
from tests.notifications.events import happen, outcome, prefer, subscription_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def link(cast: Cast) -> str:
    """Its path, as it is in the header of a mail that the manager has got."""
    happen(cast.learner, "badge", NOON)
    with clock.moved_to(NOON + timedelta(minutes=5)):
        delivery.mail_owed()
    message = mail.outbox[-1]
    assert isinstance(message, EmailMessage)
    header = re.fullmatch(r"<http://127\.0\.0\.1:8080(/unsubscribe/[^>]+)>", message.extra_headers["List-Unsubscribe"])
    assert header
    # The same in the text, for people.
    assert f"http://127.0.0.1:8080{header[1]}" in message.body
    return header[1]


@pytest.fixture
def stranger() -> Client:
    """Without session or cookies; CSRF is checked as for anybody."""
    return Client(enforce_csrf_checks=True)


def is_mailed(manager: User) -> bool:
    return wish_of(manager).frequency != "off"


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_to_look_at_it_changes_nothing(cast: Cast, link: str, stranger: Client) -> None:
    for _ in range(3):
        asked = stranger.get(link)
        assert (asked.status_code, stranger.head(link).status_code) == (200, 200)
    assert "Unsubscribe?" in text(asked)
    assert cast.manager.email in text(asked)
    assert is_mailed(cast.manager)
    assert asked.headers["Referrer-Policy"] == "no-referrer"
    assert asked.headers["Cache-Control"] == "no-store"
    for method in (stranger.options, stranger.put, stranger.delete):
        assert method(link).status_code in {200, 405}
    assert is_mailed(cast.manager)


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
def test_one_click_of_a_mail_program_ends_it(cast: Cast, link: str, stranger: Client, content_type: str) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
        if content_type.startswith("multipart")
        else b"List-Unsubscribe=One-Click"
    )
    for _ in range(2):
        assert stranger.generic("POST", link, body, content_type=content_type).status_code == 200
    assert not is_mailed(cast.manager)
    event = AuditEvent.objects.get(type="unsubscribed")
    assert (event.subject_id, event.actor_label) == (cast.manager.id, "link to unsubscribe")
    row = happen(cast.learner, "certificate", NOON + timedelta(hours=1))
    with clock.moved_to(NOON + timedelta(hours=2)):
        delivery.mail_owed()
    assert outcome(row) == ("withheld", "unsubscribed")


def test_who_clicks_in_the_page_can_come_back(cast: Cast, link: str, stranger: Client) -> None:
    prefer(cast.manager, "weekly", types=["badge"])
    done = stranger.post(link, ONE_CLICK)
    assert "You are unsubscribed" in text(done)
    assert "again, as before" in text(stranger.get(link))
    assert "You are subscribed again" in text(stranger.post(link, {"subscribe": "again"}))
    wish = wish_of(cast.manager)
    assert (wish.frequency, list(wish.types)) == ("weekly", ["badge"])
    assert AuditEvent.objects.filter(type="resubscribed").count() == 1


@pytest.mark.parametrize("body", [{}, {"List-Unsubscribe": "yes"}, {"one-click": "1"}], ids=str)
def test_a_post_of_anything_else_is_refused(cast: Cast, link: str, stranger: Client, body: dict[str, str]) -> None:
    assert stranger.post(link, body).status_code == 400
    assert is_mailed(cast.manager)


def test_it_beats_an_admin_s_lock(cast: Cast, link: str, stranger: Client) -> None:
    decide_policy(cast.organization.id, {"frequency": "daily", "locked": True}, actor=ACTOR)
    stranger.post(link, ONE_CLICK)
    assert not is_mailed(cast.manager)
    decide_policy(cast.organization.id, {"frequency": "weekly", "locked": True}, actor=ACTOR)
    assert not is_mailed(cast.manager)
    stranger.post(link, {"subscribe": "again"})
    assert wish_of(cast.manager).frequency == "weekly"


def test_it_outlives_every_secret_of_the_installation(
    cast: Cast, link: str, stranger: Client, settings: Settings
) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another secret, made when the old one leaked", []
    with clock.moved_to(NOON + timedelta(days=3650)):
        assert stranger.post(link, ONE_CLICK).status_code == 200
    assert not is_mailed(cast.manager)


def test_it_stops_one_person_s_mail_and_no_one_else_s(cast: Cast, link: str, stranger: Client) -> None:
    twin = make_user(cast.outside, Role.MANAGER, email=cast.manager.email)
    subscription_of(twin)
    other = unsubscribe_token(twin.id)
    stranger.post(link, ONE_CLICK)
    assert (is_mailed(cast.manager), is_mailed(twin)) == (False, True)
    mine = link.rpartition("/")[2]
    forged = f"{twin.id}.{mine.partition('.')[2]}"
    assert (subscriber(forged), subscriber(other)) == (None, MailSubscription.objects.get(user=twin))


def test_a_signature_for_anything_else_is_none(cast: Cast, link: str) -> None:
    key = bytes(MailSubscription.objects.get(user=cast.manager).link_key).hex()
    value = str(cast.manager.id)
    assert subscriber(Signer(key=key, sep=".", salt=PURPOSE).sign(value))
    assert subscriber(Signer(key=key, sep=".", salt="notifications.something-else").sign(value)) is None
    assert subscriber(Signer(sep=".", salt=PURPOSE).sign(value)) is None


@pytest.mark.parametrize("change", ["", "x", ".x", "%00", "é", "/more", "0" * 5000])
def test_a_link_that_is_not_whole_is_unknown(link: str, stranger: Client, change: str) -> None:
    path = link[: -len(change) or None] if change in {"x", ".x"} else link + change
    for answer in (stranger.get(path + ("y" if not change else "")), stranger.post(path + "z", ONE_CLICK)):
        assert answer.status_code == 404
    assert not MailSubscription.objects.exclude(unsubscribed_at=None).exists()


def test_an_unknown_link_is_told_in_the_reader_s_language(db: None, stranger: Client) -> None:
    answer = stranger.get("/unsubscribe/nobody", headers={"Accept-Language": "de-CH,en;q=0.5"})
    assert (answer.status_code, "Dieser Link ist nicht gültig" in text(answer)) == (404, True)
    assert stranger.get("/unsubscribe/nobody").status_code == 404


@pytest.mark.parametrize(
    ("locale", "said"), [("de", "E-Mails abbestellen?"), ("ar", "إلغاء الاشتراك؟"), ("ja", "配信を停止しますか")]
)
def test_the_page_speaks_the_language_of_the_mail(
    cast: Cast, link: str, stranger: Client, locale: str, said: str
) -> None:
    User.objects.filter(id=cast.manager.id).update(locale=locale)
    page = text(stranger.get(link))
    assert said in page
    assert f'dir="{"rtl" if locale == "ar" else "ltr"}"' in page


def test_names_on_the_page_are_escaped(cast: Cast, link: str, stranger: Client) -> None:
    cast.organization.name = "<script>alert(1)</script>"
    cast.organization.save()
    assert "<script>" not in text(stranger.get(link))
