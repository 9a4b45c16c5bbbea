"""Asking every few seconds: 304 while the answer is the same, and at almost no cost."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from cerply import clock
from cerply.accounts.people import change_person
from cerply.forgetting import Forgotten
from cerply.permissions import Role
from notifications import milestones, polling, reading
from notifications.models import ManagerNotification
from ops.features import Feature
from ops.views import schema_document
from tests.api.client import Answer, Api
from tests.factories import ACTOR, Cast, give_answers, make_user
from tests.notifications.inbox import tell

PATH = "/manager/notifications"
COUNT = "/manager/notifications/unread/count"
ADMIN_TOKEN = "dev-admin-token-12345"
ROWS = ManagerNotification.objects


def read(number: int) -> None:
    """The newest ones."""
    for row in ROWS.all()[:number]:
        reading.mark(row.id, read=True, actor=ACTOR)


def forget(cast: Cast) -> None:
    person = Forgotten(cast.learner.id, ["Maya Lindqvist"], clock.now(), "She asked for it.")
    assert milestones.forget_names(person, actor=ACTOR) == 3


@pytest.mark.parametrize("path", [PATH, f"{PATH}?limit=1", f"{PATH}?unreadOnly=true&type=badge", COUNT])
def test_304_while_nothing_has_changed(api: Api, cast: Cast, path: str) -> None:
    give_answers(cast.learner, cast.track, 21)
    first = api.get(path, by=cast.manager)
    for match in (first.headers["ETag"], f"W/{first.headers['ETag']}", f'"other", {first.headers["ETag"]}', "*"):
        again = api.get(path, by=cast.manager, if_none_match=match)
        assert (again.status, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
        assert "Content-Length" not in again.headers
        assert "Content-Type" not in again.headers
    for match in ('"other"', "nonsense", ""):
        assert api.get(path, by=cast.manager, if_none_match=match).body == first.body
    for answer in (first, again):
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert {"Authorization", "Cookie", "X-Admin-Token"} <= set(answer.headers["Vary"].split(", "))
        assert answer.headers["X-Poll-Interval"] == "15"


def test_the_interval_comes_from_the_settings(api: Api, cast: Cast, settings: Settings) -> None:
    settings.POLL_INTERVAL = 60
    assert api.get(PATH, by=cast.manager).headers["X-Poll-Interval"] == "60"
    assert api.get(COUNT, by=cast.manager).headers["X-Poll-Interval"] == "60"


def test_an_error_tells_no_interval(api: Api, cast: Cast) -> None:
    answer = api.get(f"{PATH}?limit=0", by=cast.manager, if_none_match="*")
    assert (answer.status, "ETag" in answer.headers, "X-Poll-Interval" in answer.headers) == (400, False, False)


@pytest.mark.parametrize(
    "change",
    [
        lambda cast: tell(cast.manager, cast.learner),
        lambda cast: tell(cast.manager, cast.learner, sent_at=clock.now() - timedelta(days=1)),
        lambda cast: read(1),
        lambda cast: reading.mark_all(cast.manager.caller(), before=None),
        lambda cast: change_person(cast.learner.id, {"name": "Maya Lind"}, actor=ACTOR),
        forget,
        lambda cast: ROWS.all()[0].delete(),
        lambda cast: ROWS.all()[1:][0].delete(),
    ],
    ids=["new", "late", "read", "all read", "renamed", "name erased", "newest gone", "older gone"],
)
def test_what_changes_the_answer_changes_the_etag(api: Api, cast: Cast, change: Callable[[Cast], Any]) -> None:
    give_answers(cast.learner, cast.track, 21)
    paths = [f"{PATH}?{query}" for query in ("", "limit=1", "offset=1", "unreadOnly=true", "type=level_up")] + [COUNT]
    before = [api.get(path, by=cast.manager) for path in paths]
    change(cast)
    for path, known in zip(paths, before, strict=True):
        answer = api.get(path, by=cast.manager, if_none_match=known.headers["ETag"])
        plain = api.get(path, by=cast.manager)
        assert (answer.status == 304) == (plain.body == known.body)
        assert (plain.headers["ETag"] == known.headers["ETag"]) == (plain.body == known.body)
        assert answer.headers["ETag"] == plain.headers["ETag"]


def test_what_is_undone_is_the_same_again(api: Api, cast: Cast) -> None:
    """Also when one comes and another one is read, so that as many are unread as before."""
    row = tell(cast.manager, cast.learner, 2)[0]
    etag = api.get(PATH, by=cast.manager).headers["ETag"]
    reading.mark(row.id, read=True, actor=ACTOR)
    new = tell(cast.manager, cast.learner)[0]
    assert api.get(PATH, by=cast.manager, if_none_match=etag).status == 200
    reading.mark(row.id, read=False, actor=ACTOR)
    ROWS.filter(id=new.id).delete()
    assert api.get(PATH, by=cast.manager, if_none_match=etag).status == 304


def test_what_others_are_told_changes_nothing(api: Api, cast: Cast) -> None:
    other = make_user(cast.organization, Role.MANAGER)
    tell(cast.manager, cast.learner)
    etags = {path: api.get(path, by=cast.manager).headers["ETag"] for path in (PATH, COUNT)}
    tell(other, cast.learner)
    for path, etag in etags.items():
        assert api.get(path, by=cast.manager, if_none_match=etag).status == 304
        assert api.get(path, by=other, if_none_match=etag).status == 200


def test_each_caller_filter_and_page_has_its_own(api: Api, cast: Cast) -> None:
    queries = ["", "limit=2", "offset=2", "unreadOnly=true", "type=badge", "type=level_up"]
    answers = [api.get(f"{PATH}?{query}", by=who) for query in queries for who in (cast.manager, cast.admin)]
    answers += [api.get(COUNT, by=who) for who in (cast.manager, cast.admin)]
    assert {answer.body.get("total", answer.body.get("unread")) for answer in answers} == {0}
    assert len({answer.headers["ETag"] for answer in answers}) == len(answers)


def test_another_program_may_write_the_same_otherwise(api: Api, cast: Cast, settings: Settings) -> None:
    etag = api.get(PATH, by=cast.manager).headers["ETag"]
    settings.IMAGE_REVISION = "another"
    assert api.get(PATH, by=cast.manager, if_none_match=etag).status == 200


def test_the_etag_is_of_the_rows_that_are_in_the_answer(api: Api, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something may happen between looking whether it is the same, and reading it."""
    row = tell(cast.manager, cast.learner)[0]
    fingerprints = polling.InboxPage.fingerprints

    def then_read(page: polling.InboxPage) -> Any:
        found = list(fingerprints(page))
        reading.mark(row.id, read=True, actor=ACTOR)
        return found

    monkeypatch.setattr(polling.InboxPage, "fingerprints", then_read)
    answer = api.get(PATH, by=cast.manager, if_none_match='"other"')
    monkeypatch.undo()
    assert answer.body["notifications"][0]["read"]
    reading.mark(row.id, read=False, actor=ACTOR)
    assert api.get(PATH, by=cast.manager, if_none_match=answer.headers["ETag"]).status == 200


def test_who_has_no_inbox(api: Api, cast: Cast, settings: Settings) -> None:
    for path in (PATH, COUNT):
        assert api.get(path, if_none_match="*").status == 401
        assert api.get(path, by=cast.learner, if_none_match="*").status == 403
        assert api.get(path, by=cast.auditor, if_none_match="*").status == 403
        answer = api.get(path, x_admin_token=ADMIN_TOKEN)
        assert api.get(path, x_admin_token=ADMIN_TOKEN, if_none_match=answer.headers["ETag"]).status == 304
    settings.FEATURE_SWITCHES = settings.FEATURE_SWITCHES | {Feature.MANAGER_NOTIFICATIONS: False}
    for path in (PATH, COUNT):
        assert api.get(path, by=cast.manager, if_none_match="*").status == 404


def test_almost_nothing_is_asked_of_the_database(api: Api, cast: Cast) -> None:
    def cost(path: str, **headers: str) -> tuple[Answer, int]:
        with CaptureQueriesContext(connection) as queries:
            answer = api.get(path, by=cast.manager, **headers)
        return answer, len(queries)

    def check(path: str, *, fresh: int, held: int) -> None:
        answer, number = cost(path)
        assert (answer.status, number) == (200, authentication + fresh)
        answer, number = cost(path, if_none_match=answer.headers["ETag"])
        assert (answer.status, number) == (304, authentication + held)

    api.get(PATH, by=cast.manager)
    authentication = cost("/auth/me")[1]
    check(f"{PATH}?type=badge", fresh=2, held=2)
    give_answers(cast.learner, cast.track, 21)
    check(f"{PATH}?type=badge", fresh=3, held=3)
    tell(cast.manager, cast.learner, 300)
    check(PATH, fresh=3, held=3)
    check(f"{PATH}?unreadOnly=true", fresh=2, held=2)
    check(f"{PATH}?offset=1000", fresh=2, held=2)
    check(COUNT, fresh=1, held=1)


def test_the_unread_are_counted_in_an_index_that_has_nothing_else(cast: Cast) -> None:
    tell(cast.manager, cast.learner, 300, read_at=clock.now())
    tell(cast.manager, cast.learner, 3)
    unread = ROWS.inbox_of(cast.manager.caller()).unread()
    with CaptureQueriesContext(connection) as queries:
        assert unread.count() == 3
    with connection.cursor() as cursor:
        # What is in the table is a few pages, which are read faster as a whole.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {queries[0]['sql']}")
        plan = "".join(line for (line,) in cursor.fetchall())
    assert "Index Only Scan using notifications_unread on" in plan


def test_the_document_speaks_of_it() -> None:
    paths = json.loads(schema_document())["paths"]
    for path in (PATH, COUNT):
        operation = paths[f"/api{path}"]["get"]
        assert "If-None-Match" in {parameter["name"] for parameter in operation["parameters"]}
        for status in ("200", "304"):
            assert operation["responses"][status]["headers"]["X-Poll-Interval"]["schema"]["type"] == "integer"
            assert operation["responses"][status]["headers"]["ETag"]["required"]
        assert "content" not in operation["responses"]["304"]
