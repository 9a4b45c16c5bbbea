"""How long inboxes keep what is in them, and how it goes: in batches, whoever reads or is killed meanwhile."""

import signal
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from audit import kpis
from audit.models import AuditEvent
from cerply import clock
from cerply.errors import NotFound
from notifications import delivery, reading, retention
from notifications.counting import unread_of
from notifications.models import Delivery, ManagerNotification, OutgoingMail
from ops import jobs
from tests.api.client import Api
from tests.factories import ACTOR, Cast, make_cast
from tests.notifications.events import happen
from tests.notifications.inbox import left, tell
from tests.processes import run_python
from tests.threads import at_once, meanwhile

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1000)
MOMENT = timedelta(microseconds=1)
ROWS = ManagerNotification.objects


def days_ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


def clean_up(moment: datetime = NOW) -> str:
    with clock.moved_to(moment):
        return retention.clean_up()


def command(**options: bool) -> str:
    output = StringIO()
    with clock.moved_to(NOW):
        call_command("cleanup_notifications", stdout=output, **options)
    return output.getvalue().strip()


def purges() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(type="notifications_purged").order_by("id"))


def test_180_days_after_they_were_read_and_365_after_they_came(cast: Cast) -> None:
    for sent_at, read_at in [
        (LONG_AGO, days_ago(180) - MOMENT),
        (LONG_AGO + MOMENT, days_ago(180)),
        (days_ago(365) - MOMENT, None),
        (days_ago(365), None),
        (days_ago(364), days_ago(1)),
        (days_ago(1), None),
    ]:
        tell(cast.manager, cast.learner, sent_at=sent_at, read_at=read_at)
    assert clean_up() == "Deleted 2 notifications that were kept long enough."
    assert left() == {LONG_AGO + MOMENT, days_ago(365), days_ago(364), days_ago(1)}
    assert clean_up() == "Deleted 0 notifications that were kept long enough."
    assert clean_up(NOW + MOMENT) == "Deleted 2 notifications that were kept long enough."


def test_a_mail_goes_after_all_that_was_in_it(cast: Cast) -> None:
    for type_, days in (("badge", 400), ("certificate", 370)):
        happen(cast.learner, type_, days_ago(days))
        with clock.moved_to(days_ago(days - 1)):
            delivery.mail_owed()
    last = ManagerNotification.objects.get(type="certificate")
    reading.mark(last.id, read=True, actor=ACTOR)
    clean_up()
    assert [mail.deliveries.get().notification for mail in OutgoingMail.objects.all()] == [last]
    last.delete()
    clean_up()
    assert not OutgoingMail.objects.exists()


def test_what_is_marked_as_unread_again_is_kept_like_what_never_was_read(cast: Cast) -> None:
    row = tell(cast.manager, cast.learner, sent_at=days_ago(300), read_at=days_ago(200))[0]
    reading.mark(row.id, read=False, actor=ACTOR)
    assert clean_up() == "Deleted 0 notifications that were kept long enough."


def test_the_environment_says_how_long(cast: Cast, settings: Settings) -> None:
    settings.RETAIN_NOTIFICATION_DAYS_READ, settings.RETAIN_NOTIFICATION_DAYS_UNREAD = 10, 20
    tell(cast.manager, cast.learner, sent_at=days_ago(21))
    tell(cast.manager, cast.learner, sent_at=days_ago(19))
    tell(cast.manager, cast.learner, sent_at=days_ago(15), read_at=days_ago(11))
    assert clean_up() == "Deleted 2 notifications that were kept long enough."
    assert left() == {days_ago(19)}


def test_the_command_says_first_what_it_would_do(cast: Cast) -> None:
    tell(cast.manager, cast.learner, 3, sent_at=LONG_AGO)
    tell(cast.manager, cast.learner, 2, sent_at=LONG_AGO, read_at=LONG_AGO)
    tell(cast.manager, cast.learner, sent_at=days_ago(1))
    assert command(dry_run=True) == "Would delete 5 notifications that were kept long enough."
    assert (ROWS.count(), purges()) == (6, [])
    assert command() == "Deleted 5 notifications that were kept long enough."
    assert ROWS.count() == 1
    assert command() == command(dry_run=True).replace("Would delete", "Deleted")


def test_a_run_is_audited_once_and_counts_nowhere(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 4)
    tell(cast.manager, cast.learner, 10, sent_at=LONG_AGO)
    reading.mark(ROWS.all()[0].id, read=True, actor=ACTOR)
    tell(cast.manager, cast.learner, 9, sent_at=LONG_AGO, read_at=LONG_AGO)
    before = kpis.totals()
    assert clean_up() == "Deleted 18 notifications that were kept long enough."
    (event,) = purges()
    assert (event.actor_label, event.organization_id) == ("cleanup_notifications", None)
    assert event.metadata == {
        "readBefore": clock.rfc3339(days_ago(180)),
        "sentBefore": clock.rfc3339(days_ago(365)),
        "notifications": 18,
    }
    assert kpis.totals() == before
    assert before["notifications_marked_read"] == 1
    clean_up()
    assert len(purges()) == 1


def test_it_goes_batch_by_batch_also_where_all_were_read_at_once(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 7)
    tell(cast.manager, cast.learner, 40, sent_at=LONG_AGO, read_at=LONG_AGO)
    tell(cast.outside_manager, cast.outsider, 40, sent_at=LONG_AGO)
    with clock.moved_to(NOW):
        steps = list(retention.delete_expired(retention.Expiry.now(), 80))
    assert (steps[0], steps[-1], max(b - a for a, b in zip(steps, steps[1:], strict=False))) == (7, 80, 7)
    assert not ROWS.exists()


def test_inboxes_are_counted_right_afterwards(api: Api, cast: Cast) -> None:
    tell(cast.manager, cast.learner, 5, sent_at=LONG_AGO)
    tell(cast.manager, cast.learner, 5, sent_at=LONG_AGO, read_at=LONG_AGO)
    tell(cast.manager, cast.learner, 2)
    etag = api.get("/manager/notifications?limit=1", by=cast.manager).headers["ETag"]
    clean_up()
    answer = api.get("/manager/notifications?limit=1", by=cast.manager, if_none_match=etag)
    assert (answer.status, answer.body["total"], answer.body["unreadCount"]) == (200, 2, 2)


def test_what_is_gone_is_unknown(api: Api, cast: Cast) -> None:
    row = tell(cast.manager, cast.learner, sent_at=LONG_AGO)[0]
    clean_up()
    assert api.patch(f"/manager/notifications/{row.id}", {"read": True}, by=cast.manager).status == 404
    with pytest.raises(NotFound):
        reading.mark(row.id, read=True, actor=ACTOR)


def test_the_job_is_scheduled_and_does_it(cast: Cast) -> None:
    tell(cast.manager, cast.learner, sent_at=LONG_AGO)
    with clock.moved_to(NOW):
        said = jobs.run("cleanup_notifications", NOW)
    assert said == "Deleted 1 notifications that were kept long enough."


def test_a_long_backlog_takes_more_than_one_run(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 4)
    monkeypatch.setattr(retention, "LONGEST_RUN", -1)
    tell(cast.manager, cast.learner, 6, sent_at=LONG_AGO, read_at=LONG_AGO)
    assert clean_up() == "Deleted 4 notifications that were kept long enough."
    assert clean_up() == "Deleted 2 notifications that were kept long enough."


def test_what_has_expired_is_found_by_an_index(cast: Cast) -> None:
    tell(cast.manager, cast.learner, 2000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE manager_notifications")
    with clock.moved_to(NOW):
        expired = retention.Expiry.now().expired()
    for age, name in (("read_at", "notifications_read_by_age"), ("sent_at", "notifications_unread_by_age")):
        plan = expired[age].order_by(age)[:100].explain()
        assert name in plan
        assert "Sort" not in plan


def test_a_batch_is_three_statements(cast: Cast) -> None:
    tell(cast.manager, cast.learner, 500, sent_at=LONG_AGO)
    with clock.moved_to(NOW), CaptureQueriesContext(connection) as queries:
        for _ in retention.delete_expired(retention.Expiry.now(), 500):
            pass
    statements = [query["sql"].split()[0] for query in queries]
    # One looks for what was read, and finds none.
    assert (statements.count("SELECT"), statements.count("DELETE")) == (2, 2)


def test_what_became_of_them_by_mail_goes_with_them(cast: Cast) -> None:
    rows = tell(cast.manager, cast.learner, 3, sent_at=LONG_AGO) + tell(cast.manager, cast.learner)
    Delivery.objects.open_for([row.id for row in rows])
    clean_up()
    assert Delivery.objects.get().notification_id == ROWS.get().id == rows[-1].id


@pytest.mark.django_db(transaction=True)
def test_what_somebody_is_reading_is_left_to_the_next_run() -> None:
    cast = make_cast()
    tell(cast.manager, cast.learner, 5, sent_at=LONG_AGO)
    row = ROWS.all()[0]
    with transaction.atomic():
        reading.mark(row.id, read=True, actor=ACTOR)
        assert at_once([clean_up]) == ["Deleted 4 notifications that were kept long enough."]
    assert ROWS.get().id == row.id
    assert unread_of(cast.manager.caller()) == 0


@pytest.mark.django_db(transaction=True)
def test_who_reads_what_is_just_being_deleted_is_told_that_it_is_gone() -> None:
    cast = make_cast()
    row = tell(cast.manager, cast.learner, sent_at=LONG_AGO)[0]
    with transaction.atomic():
        clean_up()
        reader = meanwhile(lambda: reading.mark(row.id, read=True, actor=ACTOR))
    with pytest.raises(NotFound):
        reader.result(60)
    assert kpis.totals()["notifications_marked_read"] == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_all_at_once_each_goes_once_and_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 3)
    cast = make_cast()
    tell(cast.manager, cast.learner, 60, sent_at=LONG_AGO)
    tell(cast.manager, cast.learner, 60, sent_at=LONG_AGO, read_at=LONG_AGO)
    tell(cast.manager, cast.learner, 30, sent_at=days_ago(1))

    def clean() -> int:
        return int(clean_up().split()[1])

    def read() -> int:
        with clock.moved_to(NOW):
            return reading.mark_all(cast.manager.caller(), before=None)

    *deleted, read_one, read_other = at_once([clean] * 4 + [read] * 2)
    marked = read_one + read_other
    assert sum(deleted) + ROWS.count() == 150
    assert 30 <= marked == kpis.totals()["notifications_marked_read"] <= 90
    assert AuditEvent.objects.filter(type="notification_marked_read").count() == marked
    clean()
    assert not ROWS.filter(read_at__lt=days_ago(180)).exists()
    assert unread_of(cast.manager.caller()) == 0


KILLED = """
from cerply import clock
from datetime import datetime
from django.db import connection
from notifications import retention

retention.STEP = 10
batches = 0

def die_in_the_third(execute, sql, params, many, context):
    global batches
    answer = execute(sql, params, many, context)
    if sql.startswith('DELETE FROM "manager_notifications"'):
        batches += 1
        if batches == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    return answer

with clock.moved_to(datetime.fromisoformat("{moment}")), connection.execute_wrapper(die_in_the_third):
    retention.clean_up()
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_it_has_lost_one_batch_and_the_next_run_does_the_rest() -> None:
    cast = make_cast()
    tell(cast.manager, cast.learner, 50, sent_at=LONG_AGO, read_at=LONG_AGO)
    assert run_python(KILLED.format(moment=NOW.isoformat())).returncode == -signal.SIGKILL
    assert ROWS.count() == 30
    assert [event.metadata["notifications"] for event in purges()] == [50]
    assert clean_up(NOW + timedelta(hours=1)) == "Deleted 30 notifications that were kept long enough."
    assert [event.metadata["notifications"] for event in purges()] == [50, 30]
    assert not ROWS.exists()
