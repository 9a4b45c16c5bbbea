"""Weekly partitions: made ahead, healed where events came before them, dropped when they have expired."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from pytest_django import Settings

from audit import kpis, partitions, retention
from audit.models import AuditEvent, EventType
from audit.partitions import Week, create_ahead, existing
from audit.recording import Event, record, record_many
from audit.sealing import seal
from cerply import clock
from tests.factories import ACTOR
from tests.threads import at_once

CREATED = Event(EventType.TEAM_CREATED, None)
MONDAY = datetime(2020, 1, 6, tzinfo=UTC)


def record_at(moment: datetime, number: int = 1) -> None:
    with clock.moved_to(moment), transaction.atomic():
        record_many([CREATED] * number, actor=ACTOR)


def count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
        return int(cursor.fetchone()[0])


def drop(weeks: Iterable[Week]) -> None:
    for week in weeks:
        partitions.drop(week)


def clean_up(**options: Any) -> str:
    output = StringIO()
    call_command("cleanup_audit_events", stdout=output, **options)
    return output.getvalue().strip()


# -- made ahead --


def test_every_migrate_leaves_this_week_and_the_next_eight(db: None) -> None:
    this_week = Week.of(clock.now())
    assert set(this_week.following(8)) <= set(existing())


def test_the_job_makes_what_is_missing_and_nothing_twice(db: None) -> None:
    with clock.moved_to(clock.now() + timedelta(weeks=100)):
        assert create_ahead().startswith("Created 9 audit partitions")
        assert create_ahead().startswith("Created 0 audit partitions")


@pytest.mark.parametrize(
    ("moment", "start"),
    [
        (MONDAY, MONDAY),
        (MONDAY - timedelta(microseconds=1), MONDAY - timedelta(weeks=1)),
        (MONDAY + timedelta(days=6, hours=23), MONDAY),
        (datetime.fromisoformat("2020-01-06T00:30+01:00"), MONDAY - timedelta(weeks=1)),
    ],
)
def test_a_week_begins_on_monday_in_utc(moment: datetime, start: datetime) -> None:
    assert Week.of(moment) == Week(start)
    assert Week.of_partition(Week(start).partition) == Week(start)


@pytest.mark.django_db(transaction=True)
def test_many_who_make_them_at_once_make_each_once() -> None:
    before = existing()

    def ahead() -> str:
        with clock.moved_to(clock.now() + timedelta(weeks=200)):
            return create_ahead()

    try:
        made = [int(sentence.split()[1]) for sentence in at_once([ahead] * 6)]
        assert sum(made) == len(existing()) - len(before) == 9
    finally:
        drop(week for week in existing() if week not in before)


# -- healed --


def test_what_came_before_its_partition_is_moved_there_and_the_rest_stays(db: None) -> None:
    record_at(MONDAY, 3)
    record_at(MONDAY + timedelta(days=6, hours=23, minutes=59), 2)
    record_at(MONDAY + timedelta(weeks=1), 4)
    before = list(AuditEvent.objects.order_by("id").values())
    assert count("audit_events_default") == 9
    partitions.patiently(partial(partitions._create, Week(MONDAY)))
    assert (count(Week(MONDAY).partition), count("audit_events_default")) == (5, 4)
    assert create_ahead().startswith("Created 1 audit partitions")
    assert count("audit_events_default") == 0
    assert list(AuditEvent.objects.order_by("id").values()) == before


@pytest.mark.django_db(transaction=True)
def test_events_that_arrive_meanwhile_are_kept() -> None:
    try:
        record_at(MONDAY, 50)
        writers = [partial(record_at, MONDAY + timedelta(weeks=number % 3), 5) for number in range(9)]
        at_once([*writers, create_ahead, create_ahead])
        create_ahead()
        assert AuditEvent.objects.count() == 95
        assert count("audit_events_default") == 0
    finally:
        retention.clean_up(365)


# -- dropped --


def test_whole_weeks_that_have_expired_are_dropped_and_that_is_recorded(db: None) -> None:
    record_at(MONDAY, 3)
    record_at(MONDAY + timedelta(weeks=1))
    with clock.moved_to(MONDAY + timedelta(weeks=1, days=30)):
        assert clean_up(days=30) == "Dropped 1 weeks with 3 audit events older than 30 days."
    purged = AuditEvent.objects.get(type="audit_purged")
    assert purged.metadata == {"week": "2020-01-06", "events": 3, "retainDays": 30}
    assert (purged.actor_kind, purged.actor_label) == ("system", "cleanup_audit_events")
    assert AuditEvent.objects.filter(type="team_created").count() == 1


def test_a_week_is_kept_until_its_last_moment_has_expired(db: None) -> None:
    record_at(MONDAY)
    with clock.moved_to(MONDAY + timedelta(weeks=1, days=30) - timedelta(microseconds=1)):
        assert clean_up(days=30).startswith("Dropped 0 weeks")
    assert AuditEvent.objects.filter(type="team_created").exists()


def test_a_dry_run_drops_nothing(db: None) -> None:
    record_at(MONDAY)
    create_ahead()
    assert clean_up(dry_run=True) == "Would drop 1 weeks with 1 audit events older than 180 days."
    assert AuditEvent.objects.count() == 1
    assert Week(MONDAY) in existing()


def test_the_configuration_says_how_long(db: None, settings: Settings) -> None:
    record_at(clock.now() - timedelta(days=100))
    assert clean_up() == "Dropped 0 weeks with 0 audit events older than 180 days."
    settings.RETAIN_AUDIT_DAYS = 90
    assert clean_up() == "Dropped 1 weeks with 1 audit events older than 90 days."


@pytest.mark.parametrize("days", [0, -1, 36501])
def test_a_nonsensical_number_of_days_is_refused(db: None, days: int) -> None:
    with pytest.raises(CommandError, match="from 1 to 36500"):
        clean_up(days=days)


@pytest.mark.django_db(transaction=True)
def test_the_counters_outlive_the_events() -> None:
    with clock.moved_to(MONDAY), transaction.atomic():
        record(Event(EventType.BADGE_AWARDED, None), actor=ACTOR)
    at_once([clean_up] * 3)
    assert sorted(AuditEvent.objects.values_list("type", flat=True)) == ["audit_key_created", "audit_purged"]
    assert kpis.totals()["badges_awarded"] == 1


@pytest.mark.django_db(transaction=True)
def test_who_reads_for_long_makes_nobody_wait_who_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The week goes when the reader has ended. No writer waits for longer than it is waited for the lock."""
    assert partitions.LOCK_TIMEOUT_MS < 100
    monkeypatch.setattr(partitions, "TRIES", 2)
    monkeypatch.setattr(partitions, "PAUSE", 0)
    record_at(MONDAY)
    seal()
    week = Week(MONDAY)
    with transaction.atomic():
        assert AuditEvent.objects.count()
        with pytest.raises(OperationalError, match="lock timeout"):
            at_once([partial(partitions.patiently, partial(retention._drop, week, 30))])
        at_once([partial(record_at, clock.now())])
    assert week in existing()
    assert retention.clean_up(30).startswith("Dropped 1 weeks with 1 audit events")
    for table in ("audit_events", *partitions.COMPANIONS):
        assert week not in existing(table)


def test_what_goes_with_the_events_has_the_same_weeks(db: None) -> None:
    with clock.moved_to(clock.now() + timedelta(weeks=300)):
        create_ahead()
    for table in partitions.COMPANIONS:
        assert existing(table) == existing()
