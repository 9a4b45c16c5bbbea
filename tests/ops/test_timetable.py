"""The timetable: each time that a job is due has its row, and is run once or marked missed."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db.models.functions import Now
from django_q.models import OrmQ, Schedule
from pytest_django import Settings

from cerply import clock
from ops import jobs
from ops.models import JobOutcome, JobRun
from ops.timetable import MOST_MISSED, Timekeeper, due, expect, next_due
from tests.threads import at_once

# A Sunday.
TWO = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _jobs(settings: Settings) -> None:
    settings.JOBS = {"succeed": {"run": "tests.ops.deeds.succeed", "cron": "0 2 * * *"}}


def look(moment: datetime) -> None:
    """A worker starts."""
    with clock.moved_to(moment):
        Timekeeper().look()


def outcomes() -> list[tuple[str, str]]:
    runs = JobRun.objects.order_by("job", "window")
    return [(f"{run.window:%m-%d %H:%M}", run.outcome) for run in runs]


def tasks() -> list[tuple[str, datetime]]:
    return [queued.task["args"] for queued in OrmQ.objects.order_by("id")]


def run_all() -> None:
    for queued in OrmQ.objects.order_by("id"):
        jobs.run(*queued.task["args"])
        queued.delete()


# -- when --


def test_the_clock_says_which_time_is_meant() -> None:
    assert due("succeed", TWO) == TWO
    assert due("succeed", TWO - timedelta(microseconds=1)) == TWO - DAY
    assert due("succeed", TWO + timedelta(hours=23)) == TWO
    assert next_due("succeed", TWO) == TWO + DAY
    assert next_due("succeed", TWO - timedelta(microseconds=1)) == TWO


def test_what_is_due_is_expected_in_the_ledger_and_asked_for() -> None:
    look(TWO + timedelta(minutes=3))
    run = JobRun.objects.get()
    assert (run.job, run.window, run.outcome, run.attempts, run.started_at) == ("succeed", TWO, "due", 0, None)
    assert tasks() == [("succeed", TWO)]
    run_all()
    run.refresh_from_db()
    assert (run.outcome, run.attempts) == ("succeeded", 1)


def test_it_is_expected_once_however_often_a_worker_looks() -> None:
    keeper = Timekeeper()
    for second in (0, 5, 10):
        with clock.moved_to(TWO + timedelta(seconds=second)):
            keeper.look()
    look(TWO + timedelta(seconds=15))
    assert len(tasks()) == JobRun.objects.count() == 1
    with clock.moved_to(TWO + DAY):
        keeper.look()
    assert tasks() == [("succeed", TWO), ("succeed", TWO + DAY)]


def test_a_worker_looks_at_the_database_only_when_something_is_due(django_assert_num_queries: object) -> None:
    keeper = Timekeeper()
    with clock.moved_to(TWO):
        keeper.look()
        with django_assert_num_queries(0):  # type: ignore[operator]
            keeper.look()


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_puts_it_there() -> None:
    with_task = at_once([partial(expect, "succeed", TWO)] * 12)
    assert sum(with_task) == 1
    assert len(tasks()) == JobRun.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_that_come_back_one_marks_what_was_missed() -> None:
    expect("succeed", TWO)
    assert sum(at_once([partial(expect, "succeed", TWO + 30 * DAY)] * 8)) == 1
    assert JobRun.objects.count() == 31
    assert len(tasks()) == 2


# -- what was missed --


def test_what_was_missed_is_made_up_for_by_one_run() -> None:
    look(TWO)
    run_all()
    look(TWO + 3 * DAY + timedelta(hours=5))
    assert outcomes() == [
        ("03-01 02:00", "succeeded"),
        ("03-02 02:00", "missed"),
        ("03-03 02:00", "missed"),
        ("03-04 02:00", "due"),
    ]
    assert tasks() == [("succeed", TWO + 3 * DAY)]
    detail = JobRun.objects.filter(outcome=JobOutcome.MISSED)[0].detail
    assert detail == "Not run: no worker was there in time. The run of 2026-03-04 02:00 makes up for it."


def test_what_was_asked_for_and_never_begun_is_made_up_for_too() -> None:
    look(TWO)
    look(TWO + DAY)
    assert outcomes() == [("03-01 02:00", "missed"), ("03-02 02:00", "due")]
    run_all()
    assert outcomes() == [("03-01 02:00", "missed"), ("03-02 02:00", "succeeded")]


def test_what_is_begun_goes_on_when_the_next_time_comes() -> None:
    look(TWO)
    assert jobs.Claim.take("succeed", TWO)
    look(TWO + DAY)
    assert outcomes() == [("03-01 02:00", "running"), ("03-02 02:00", "due")]


def test_a_job_that_may_not_run_late_waits_for_its_next_time(settings: Settings) -> None:
    settings.JOBS["succeed"]["within"] = timedelta(hours=12)
    look(TWO)
    run_all()
    look(TWO + 2 * DAY + timedelta(hours=12, seconds=1))
    assert outcomes() == [("03-01 02:00", "succeeded"), ("03-02 02:00", "missed"), ("03-03 02:00", "missed")]
    assert JobRun.objects.get(window=TWO + 2 * DAY).detail == "Not run: it was more than 12:00:00 late."
    assert not tasks()
    look(TWO + 3 * DAY + timedelta(hours=12))
    assert outcomes()[-1] == ("03-04 02:00", "due")


def test_a_job_that_is_new_has_missed_nothing() -> None:
    look(TWO + timedelta(hours=20))
    assert outcomes() == [("03-01 02:00", "due")]


def test_of_a_very_long_absence_the_latest_times_are_marked() -> None:
    look(TWO)
    look(TWO + 1000 * DAY)
    assert JobRun.objects.filter(outcome=JobOutcome.MISSED).count() == MOST_MISSED + 1
    assert JobRun.objects.filter(outcome=JobOutcome.DUE).get().window == TWO + 1000 * DAY


def test_a_clock_that_was_fast_for_a_while_costs_no_run() -> None:
    look(TWO)
    run_all()
    look(TWO + 3 * DAY)
    run_all()
    look(TWO + DAY)
    run_all()
    look(TWO + 2 * DAY)
    run_all()
    assert {outcome for _, outcome in outcomes()} == {"succeeded"}


# -- one that is bad --


def test_a_bad_line_of_one_job_stops_no_other(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    good = settings.JOBS["succeed"]
    settings.JOBS = {"bad": {"run": "tests.ops.deeds.succeed", "cron": "every day"}, "succeed": good}
    look(TWO)
    assert tasks() == [("succeed", TWO)]
    assert "job bad cannot be put on the timetable" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_the_queue_s_own_table_of_schedules_stops_nothing() -> None:
    """Nothing of ours is in it. With django-q's scheduler, the first of these would keep all others from running."""
    assert not Schedule.objects.exists()
    bad = Schedule(name="bad", func="ops.jobs.run", args="(", cron="every day", schedule_type=Schedule.CRON)
    Schedule.objects.bulk_create([bad])
    look(TWO)
    assert tasks() == [("succeed", TWO)]


# -- what was lost --


def test_a_task_that_was_lost_is_asked_for_again_after_a_while() -> None:
    look(TWO)
    OrmQ.objects.all().delete()
    assert jobs.sweep() == "Asked again for 0 unfinished runs."
    JobRun.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert jobs.sweep() == "Asked again for 1 unfinished runs."
    assert tasks() == [("succeed", TWO)]
    run_all()
    assert outcomes() == [("03-01 02:00", "succeeded")]
