"""The inbox: who hears of what, reads it, and how it is counted."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from audit import kpis
from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.models import User
from cerply.clock import rfc3339
from cerply.permissions import Role
from notifications.models import ManagerNotification
from tests.api.client import Answer, Api
from tests.factories import Cast, complete, give_answers, make_cast, make_team, make_user

ADMIN_TOKEN = "dev-admin-token-12345"


def inbox(api: Api, by: User, query: str = "") -> Answer:
    return api.get(f"/manager/notifications?{query}", by=by)


def test_a_manager_hears_of_her_team_and_nobody_else_does(api: Api, cast: Cast) -> None:
    stranger = make_user(cast.organization, Role.MANAGER)
    give_answers(cast.learner, cast.track, 21)
    body = inbox(api, cast.manager).body
    assert {row["type"] for row in body["notifications"]} == {"badge", "level_up"}
    assert (body["total"], body["unreadCount"]) == (3, 3)
    level_up = next(row for row in body["notifications"] if row["type"] == "level_up")
    assert level_up["content"]["learnerName"] == level_up["learnerName"] == "Maya Lindqvist"
    assert level_up["content"]["previousLevel"] == "novice"
    assert level_up["content"]["newLevel"] == "learner"
    assert level_up["content"]["trackTitle"] == cast.track.title
    assert [inbox(api, who).body["total"] for who in (stranger, cast.outside_manager, cast.admin)] == [0, 0, 0]


def test_once_whatever_teams_they_share(cast: Cast) -> None:
    make_team(cast.organization, [cast.learner], [cast.manager])
    give_answers(cast.learner, cast.track, 1)
    assert ManagerNotification.objects.count() == 1


def test_nobody_is_told_of_herself_and_the_inactive_hear_nothing(cast: Cast) -> None:
    make_team(cast.organization, [cast.manager], [cast.manager])
    gone = make_user(cast.organization, Role.MANAGER, is_active=False)
    demoted = make_user(cast.organization, Role.LEARNER)
    make_team(cast.organization, [cast.manager, cast.colleague], [gone, demoted])
    give_answers(cast.manager, cast.track, 1)
    give_answers(cast.colleague, cast.track, 1)
    assert not ManagerNotification.objects.exists()


def test_filters_and_pages_meet_each_row_once(api: Api, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 60, response_ms=10)
    assert inbox(api, cast.manager, "type=level_up").body["total"] == 2
    pages = [inbox(api, cast.manager, f"limit=2&offset={offset}").body for offset in (0, 2, 4)]
    rows = [row for page in pages for row in page["notifications"]]
    assert len({row["id"] for row in rows}) == pages[0]["total"] == 5
    assert rows == sorted(rows, key=lambda row: (row["sentAt"], row["id"]), reverse=True)
    for bad in ("unreadOnly=yes", "unreadOnly=1", "type=none", "limit=0"):
        assert inbox(api, cast.manager, bad).status == 400


def test_marking_as_read_is_counted_once(api: Api, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 1)
    row = inbox(api, cast.manager).body["notifications"][0]
    path = f"/manager/notifications/{row['id']}"
    read = api.patch(path, {"read": True}, by=cast.manager)
    assert (read.status, read.body["read"]) == (200, True)
    assert api.patch(path, {"read": True}, by=cast.manager).body == read.body
    assert api.get("/manager/notifications/unread/count", by=cast.manager).body == {"unread": 0}
    assert inbox(api, cast.manager, "unreadOnly=true").body["total"] == 0
    assert AuditEvent.objects.filter(type="notification_marked_read").count() == 1
    assert kpis.totals()["notifications_marked_read"] == 1
    assert api.patch(path, {"read": False}, by=cast.manager).body["readAt"] is None
    for bad in ({}, {"read": "true"}, {"read": 1}, {"read": True, "more": 1}):
        assert api.patch(path, bad, by=cast.manager).status == 400


def test_somebody_elses_is_unknown(api: Api, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 1)
    path = f"/manager/notifications/{ManagerNotification.objects.get().id}"
    for who in (cast.admin, cast.outside_manager):
        assert api.patch(path, {"read": True}, by=who).status == 404
    for who in (cast.learner, cast.auditor):
        assert api.patch(path, {"read": True}, by=who).status == 403
    assert api.patch(path, {"read": True}, x_admin_token=ADMIN_TOKEN).status == 400
    assert api.patch(path, {"read": True}).status == 401
    assert api.patch(f"/manager/notifications/{uuid4()}", {"read": True}, by=cast.manager).status == 404


def test_read_all_leaves_what_came_after(api: Api, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 1)
    before = rfc3339(clock.now())
    complete(cast.learner, cast.track)
    assert api.post("/manager/notifications/read-all", {"before": before}, by=cast.manager).body == {"updated": 1}
    assert api.get("/manager/notifications/unread/count", by=cast.manager).body == {"unread": 1}
    assert api.post("/manager/notifications/read-all", by=cast.manager).body == {"updated": 1}
    assert api.post("/manager/notifications/read-all", {}, by=cast.manager).body == {"updated": 0}
    assert kpis.totals()["notifications_marked_read"] == 2
    assert api.post("/manager/notifications/read-all", {"before": "now"}, by=cast.manager).status == 400


def test_who_reads_everything_has_an_empty_inbox(api: Api, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 1)
    answer = api.get("/manager/notifications", x_admin_token=ADMIN_TOKEN)
    assert (answer.status, answer.body["total"], answer.body["unreadCount"]) == (200, 0, 0)


def test_switched_off_there_is_no_inbox(api: Api, cast: Cast, settings: Settings) -> None:
    settings.FEATURE_SWITCHES = settings.FEATURE_SWITCHES | {"manager_notifications": False}
    for path in ("/manager/notifications", "/manager/notifications/unread/count", "/manager/notification-preferences"):
        answer = api.get(path)
        assert (answer.status, answer.body["error"]["message"]) == (404, "Feature not enabled")


def test_the_inbox_asks_no_more_for_many_than_for_few(api: Api, cast: Cast) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            inbox(api, cast.manager)
        return len(queries)

    give_answers(cast.learner, cast.track, 1)
    inbox(api, cast.manager)
    few = cost()
    give_answers(cast.learner, cast.track, 250)
    make_team(cast.organization, [cast.colleague], [cast.manager])
    give_answers(cast.colleague, cast.track, 30)
    assert cost() == few


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_marking_one_and_all_at_once_counts_each_once() -> None:
    cast = make_cast()
    give_answers(cast.learner, cast.track, 60, response_ms=10)
    ids = list(ManagerNotification.objects.values_list("id", flat=True))
    token = Api().token_of(cast.manager)
    together = Barrier(10)

    def at_once(call: Callable[[], Answer]) -> Answer:
        try:
            together.wait()
            return call()
        finally:
            connection.close()

    calls: list[Callable[[], Answer]] = [
        lambda key=key: Api().patch(f"/manager/notifications/{key}", {"read": True}, by=token)  # type: ignore[misc]
        for key in ids
    ]
    calls += [lambda: Api().post("/manager/notifications/read-all", {}, by=token)] * 5
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(at_once, calls))
    assert len(calls) == 10
    assert {answer.status for answer in answers} == {200}
    assert kpis.totals()["notifications_marked_read"] == len(ids) == 5
    assert clock.now() - ManagerNotification.objects.latest("read_at").sent_at < timedelta(minutes=5)
