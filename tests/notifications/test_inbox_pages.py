"""The inbox in a browser: what is shown, what its buttons do, and what following links never does."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from audit import kpis
from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.models import User
from cerply.languages import LANGUAGES
from notifications.inbox_pages import PAGE_SIZE
from notifications.models import ManagerNotification, NotificationType
from notifications.sentences import SENTENCES
from ops.features import Feature, set_toggle
from tests.factories import ACTOR, Cast, complete, give_answers, make_staff
from tests.notifications.events import prefer
from tests.notifications.inbox import tell

ROWS = ManagerNotification.objects


def browser(user: User, **options: Any) -> Client:
    client = Client(enforce_csrf_checks=True, **options)
    client.force_login(user)
    return client


def text(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, response.content
    return str(response.content.decode())


def press(client: Client, page: str, path: str, **fields: str) -> Any:
    """A button of a form that is on the page; it leads to another page."""
    content = text(client, page)
    assert f'action="{path}"' in content.replace("&amp;", "&"), f"there is no form for {path}"
    [token, *_] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', content)
    if "before" in fields:
        [fields["before"]] = re.findall(r'name="before" value="([^"]+)"', content)
    return client.post(path, {"csrfmiddlewaretoken": token, **fields})


def said(content: str) -> list[str]:
    """What the list says, row by row."""
    return re.findall(r'<a href="/inbox/[^"]+">(.*?)</a>', content)


def test_what_is_in_it_is_shown_newest_first(cast: Cast) -> None:
    complete(cast.learner, cast.track)
    give_answers(cast.learner, cast.track, 21)
    content = text(browser(cast.manager), "/inbox")
    inbox = [str(key) for key in ROWS.filter(manager=cast.manager).values_list("id", flat=True)]
    assert re.findall(r'<a href="/inbox/([0-9a-f-]+)"', content) == inbox
    assert {
        "Maya Lindqvist reached the level Learner in Fire Safety Fundamentals",
        "Maya Lindqvist earned a certificate: Fire Safety Fundamentals",
        "Maya Lindqvist earned the badge “First Steps”",
    } < set(said(content))
    assert content.count('<strong class="new">Unread</strong>') == ROWS.count() == len(said(content))
    assert f"({ROWS.count()}) Inbox · Cerply" in content


def test_one_is_shown_with_the_page_of_its_certificate(cast: Cast) -> None:
    certificate = complete(cast.learner, cast.track).certificates[0]
    row = ROWS.get(type="certificate")
    client = browser(cast.manager)
    content = text(client, f"/inbox/{row.id}")
    assert f'href="/verify/{certificate.id}?lang=en"' in content
    for words in ("Maya Lindqvist", "Fire Safety Fundamentals", "Team member", "Track", "When"):
        assert words in content
    assert client.get(f"/verify/{certificate.id}?lang=en").status_code == 200
    assert "/verify/" not in text(client, f"/inbox/{ROWS.get(type='badge').id}")


def test_what_happened_is_shown_whatever_it_was(cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 21)
    client = browser(cast.manager)
    assert "Learner, before: Novice" in text(client, f"/inbox/{ROWS.get(type='level_up').id}")
    assert "First Steps" in "".join(text(client, f"/inbox/{row.id}") for row in ROWS.filter(type="badge"))
    ends = clock.rfc3339(clock.now() + timedelta(days=30))
    content = {"certificateId": str(uuid4()), "trackTitle": "Heights", "expiresAt": ends}
    row = tell(cast.manager, cast.learner, type="expiring", content=content)[0]
    assert "Ends on" in text(client, f"/inbox/{row.id}")


def test_to_look_at_it_changes_nothing(cast: Cast) -> None:
    """As programs do that follow the links of a mail with her cookies, or load pages ahead."""
    complete(cast.learner, cast.track)
    client = browser(cast.manager)
    events = AuditEvent.objects.count()
    for path in ("/inbox", "/inbox?mark=read", *[f"/inbox/{row.id}?mark=read" for row in ROWS.all()], "/sign-out"):
        assert client.get(path).status_code == 200
        assert client.head(path).status_code == 200
    assert ROWS.unread().count() == ROWS.count()
    assert AuditEvent.objects.count() == events


def test_the_buttons_mark_as_read_and_unread(cast: Cast) -> None:
    row = tell(cast.manager, cast.learner)[0]
    client, path = browser(cast.manager), f"/inbox/{row.id}"
    answer = press(client, path, path, mark="read")
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    row.refresh_from_db()
    assert row.is_read
    assert AuditEvent.objects.get(type="notification_marked_read").actor_id == cast.manager.id
    assert kpis.totals()["notifications_marked_read"] == 1
    assert "Read" in text(client, path)
    assert press(client, path, path, mark="unread").status_code == 303
    assert ROWS.unread().count() == 1


def test_from_the_list_one_comes_back_to_where_one_was(cast: Cast) -> None:
    rows = tell(cast.manager, cast.learner, 60)
    client, shown = browser(cast.manager), "?show=badge&page=2"
    path = f"/inbox/{ROWS.all()[30].id}{shown}"
    answer = press(client, f"/inbox{shown}", path, mark="read", **{"from": "list"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/inbox{shown}")
    assert f'href="/inbox{shown}"' in text(client, path).replace("&amp;", "&")
    answer = press(client, path, path, mark="unread")
    assert answer.headers["Location"] == path
    assert ROWS.unread().count() == len(rows)


def test_mark_all_leaves_what_came_since_the_page_was_made(cast: Cast) -> None:
    tell(cast.manager, cast.learner, 30)
    later = tell(cast.manager, cast.learner, sent_at=clock.now() + timedelta(minutes=1))[0]
    answer = press(browser(cast.manager), "/inbox?show=badge", "/inbox?show=badge", before="")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/inbox?show=badge")
    assert ROWS.unread().get() == later
    assert kpis.totals()["notifications_marked_read"] == 30
    content = text(browser(cast.manager), "/inbox")
    assert "1 unread" in content


@pytest.mark.parametrize("fields", [{}, {"before": ""}, {"before": "now"}, {"before": "\0"}], ids=str)
def test_a_form_that_is_not_ours_marks_nothing(cast: Cast, fields: dict[str, str]) -> None:
    row = tell(cast.manager, cast.learner)[0]
    client = browser(cast.manager)
    text(client, "/inbox")
    token = client.cookies["csrftoken"].value
    answer = client.post("/inbox", fields, headers={"X-CSRFToken": token})
    assert (answer.status_code, ROWS.unread().count()) == (400, 1)
    answer = client.post(f"/inbox/{row.id}", {"mark": "gone", **fields}, headers={"X-CSRFToken": token})
    assert (answer.status_code, ROWS.unread().count()) == (400, 1)


def test_without_its_token_a_form_changes_nothing_and_says_so(cast: Cast) -> None:
    row = tell(cast.manager, cast.learner)[0]
    client = browser(cast.manager)
    for path in ("/inbox", f"/inbox/{row.id}", "/sign-out"):
        answer = client.post(path, {"mark": "read", "before": clock.rfc3339(clock.now())})
        assert answer.status_code == 403
        assert "The page was open for too long" in answer.content.decode()
    assert ROWS.unread().count() == 1
    assert client.get("/inbox").status_code == 200


def test_filters_and_pages_meet_each_once(cast: Cast) -> None:
    tell(cast.manager, cast.learner, PAGE_SIZE + 3)
    give_answers(cast.learner, cast.track, 21)
    client = browser(cast.manager)
    pages = [text(client, f"/inbox?page={number}") for number in (1, 2)]
    links = [link for page in pages for link in re.findall(r'<a href="(/inbox/[0-9a-f-]+)', page)]
    assert len(links) == len(set(links)) == ROWS.count()
    assert "Page 1 of 2" in pages[0]
    assert 'rel="next" href="/inbox?page=2"' in pages[0]
    assert 'rel="prev" href="/inbox"' in pages[1]
    level_ups = text(client, "/inbox?show=level_up")
    assert said(level_ups) == ["Maya Lindqvist reached the level Learner in Fire Safety Fundamentals"]
    ROWS.filter(type="badge").update(read_at=clock.now())
    assert said(text(client, "/inbox?show=unread")) == said(level_ups)
    assert "Nothing here yet." in text(client, "/inbox?show=at_risk")


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=00",
        "page=000000",
        "page=-1",
        "page=x",
        "page=9999999999",
        "page=999999",
        "show=gossip",
        "show=%00",
        "page=٢",
    ],
)
def test_a_query_that_means_nothing_shows_the_inbox(cast: Cast, query: str) -> None:
    tell(cast.manager, cast.learner)
    assert len(said(text(browser(cast.manager), f"/inbox?{query}"))) == 1


def test_nobody_is_asked_to_sign_in_and_comes_back(cast: Cast) -> None:
    row = tell(cast.manager, cast.learner)[0]
    for path in ("/inbox", f"/inbox/{row.id}"):
        answer = Client().get(f"{path}?show=badge")
        assert (answer.status_code, answer.headers["Location"]) == (
            302,
            f"/sign-in?next={path.replace('/', '%2F')}%3Fshow%3Dbadge",
        )


def test_learners_and_staff_read_that_it_is_for_managers(cast: Cast) -> None:
    row = tell(cast.manager, cast.learner)[0]
    for who in (cast.learner, cast.auditor, make_staff()):
        for path in ("/inbox", f"/inbox/{row.id}"):
            assert "The inbox is for managers" in text(browser(who), path, 403)


def test_somebody_elses_is_unknown(cast: Cast) -> None:
    row = tell(cast.manager, cast.learner)[0]
    for who in (cast.admin, cast.outside_manager):
        client = browser(who)
        assert "There is no such notification" in text(client, f"/inbox/{row.id}", 404)
        assert said(text(client, "/inbox")) == []
        token = client.cookies["csrftoken"].value
        answer = client.post(f"/inbox/{row.id}", {"mark": "read"}, headers={"X-CSRFToken": token})
        assert answer.status_code == 404
    for unknown in (uuid4(), "nonsense", "%00"):
        text(browser(cast.manager), f"/inbox/{unknown}", 404)
    assert ROWS.unread().count() == 1


def test_switched_off_there_is_nothing(cast: Cast, settings: Settings) -> None:
    row = tell(cast.manager, cast.learner)[0]
    set_toggle(Feature.MANAGER_NOTIFICATIONS, cast.organization.id, False, actor=ACTOR, reason="Not yet.")
    for path in ("/inbox", f"/inbox/{row.id}"):
        assert "There is nothing here" in text(browser(cast.manager), path, 404)
        assert browser(cast.outside_manager).get("/inbox").status_code == 200
        assert Client().get(path).status_code == 302
    settings.FEATURE_SWITCHES = settings.FEATURE_SWITCHES | {"manager_notifications": False}
    for path in ("/inbox", f"/inbox/{row.id}"):
        for client in (Client(), browser(cast.outside_manager)):
            assert "There is nothing here" in text(client, path, 404)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_speaks_the_language_of_her_account(cast: Cast, language: str) -> None:
    User.objects.filter(id=cast.manager.id).update(locale=f"{language}-XX", timezone="Asia/Tokyo")
    give_answers(cast.learner, cast.track, 21)
    client = browser(User.objects.get(id=cast.manager.id), headers={"Accept-Language": "pt"})
    for path in ("/inbox", f"/inbox/{ROWS.all()[0].id}"):
        content = text(client, path)
        assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in content
    assert SENTENCES[language]["inbox"] in text(client, "/inbox")
    assert client.get("/inbox").headers["Content-Language"] == language


@pytest.mark.parametrize("said", ["for her account", "for her e-mails"])
def test_times_are_those_of_her_time_zone(cast: Cast, said: str) -> None:
    if said == "for her account":
        User.objects.filter(id=cast.manager.id).update(timezone="Asia/Tokyo")
    else:
        prefer(cast.manager, "daily", timezone="Asia/Tokyo")
    moment = clock.now().replace(month=3, day=4, hour=20, minute=5)
    tell(cast.manager, cast.learner, sent_at=moment)
    content = text(browser(User.objects.get(id=cast.manager.id)), "/inbox").replace("\u202f", " ")
    assert f"Mar 5, {moment.year} · 5:05 AM" in content


def test_names_are_text_and_the_page_loads_nothing_from_others(cast: Cast) -> None:
    User.objects.filter(id=cast.learner.id).update(name="<script>alert(1)</script>")
    row = tell(cast.manager, User.objects.get(id=cast.learner.id))[0]
    for path in ("/inbox", f"/inbox/{row.id}"):
        response = browser(cast.manager).get(path)
        content = response.content.decode()
        assert "<script" not in content
        assert not re.search(r"style=|\bon\w+=|https?://", content)
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["Cache-Control"] == "private, no-store"
        assert response.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert {"Cookie", "Accept-Language"} <= set(response.headers["Vary"].split(", "))


def test_she_is_counted_like_in_the_api(cast: Cast, settings: Settings) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"api": "2/minute"}
    client = browser(cast.manager)
    assert [client.get("/inbox").status_code for _ in range(3)] == [200, 200, 429]
    answer = client.get("/inbox")
    assert "Too many requests" in answer.content.decode()
    assert int(answer.headers["Retry-After"]) > 0
    assert browser(cast.admin).get("/inbox").status_code == 200


def test_a_long_inbox_costs_as_much_as_a_short_one(cast: Cast) -> None:
    client = browser(cast.manager)

    def cost(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            text(client, path)
        return len(queries)

    tell(cast.manager, cast.learner)
    text(client, "/inbox")
    few = cost("/inbox")
    tell(cast.manager, cast.learner, 300)
    tell(cast.manager, cast.colleague, 300)
    assert cost("/inbox") == cost("/inbox?show=badge&page=7") == few
    assert few <= 9


def test_every_sentence_is_there_in_every_language() -> None:
    for sentences in SENTENCES.values():
        assert sentences.keys() == SENTENCES["en"].keys()
    for key in NotificationType.values:
        assert f"inbox.filter.{key}" in SENTENCES["en"]
    for key, english in SENTENCES["en"].items():
        for sentences in SENTENCES.values():
            assert set(re.findall(r"{\w+}", sentences[key])) == set(re.findall(r"{\w+}", english)), key
