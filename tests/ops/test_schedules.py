"""The queue's schedules are those of the code."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler
from pytest_django import Settings

from cerply import clock
from ops import schedules

pytestmark = pytest.mark.django_db


def names() -> set[str]:
    return set(Schedule.objects.values_list("name", flat=True))


def test_every_migrate_leaves_the_schedules_of_the_code(settings: Settings) -> None:
    assert names() == set(settings.JOBS)
    by_name = {schedule.name: schedule for schedule in Schedule.objects.all()}
    assert by_name["cleanup_idempotency_keys"].cron == "0 2 * * *"
    assert by_name["cleanup_audit_events"].cron == "0 3 * * 0"
    assert {(schedule.func, schedule.repeats) for schedule in by_name.values()} == {("ops.jobs.run_scheduled", -1)}


def test_every_job_is_there(settings: Settings) -> None:
    for options in settings.JOBS.values():
        assert callable(import_string(options["run"]))


def test_what_is_right_keeps_its_next_run() -> None:
    tomorrow = clock.now() + timedelta(days=1)
    Schedule.objects.update(next_run=tomorrow)
    output = StringIO()
    call_command("sync_schedules", stdout=output)
    assert "0 others no longer are" in output.getvalue()
    assert set(Schedule.objects.values_list("next_run", flat=True)) == {tomorrow}


def test_what_is_wrong_is_put_right(settings: Settings) -> None:
    schedule = Schedule.objects.get(name="fold_kpis")
    Schedule.objects.filter(pk=schedule.pk).update(cron="0 0 1 1 *", args="()", repeats=0)
    Schedule.objects.create(name="fold_kpis", func=schedules.FUNCTION, schedule_type=Schedule.CRON, cron="0 0 1 1 *")
    Schedule.objects.create(name="gone", func=schedules.FUNCTION, schedule_type=Schedule.CRON, cron="0 0 1 1 *")
    assert schedules.sync() == f"{len(settings.JOBS)} jobs are scheduled; 1 others no longer are."
    assert names() == set(settings.JOBS)
    mended = Schedule.objects.get(name="fold_kpis")
    assert (mended.cron, mended.args, mended.repeats) == ("*/5 * * * *", "('fold_kpis',)", -1)
    assert mended.next_run <= clock.now() + timedelta(minutes=5)


@pytest.mark.django_db(transaction=True)
def test_the_queue_understands_them() -> None:
    Schedule.objects.update(next_run=clock.now() + timedelta(days=1))
    Schedule.objects.filter(name="fold_kpis").update(next_run=clock.now() - timedelta(days=3))
    for _ in range(2):
        scheduler()
    [task] = [queued.task for queued in OrmQ.objects.all()]
    assert (task["func"], task["args"]) == ("ops.jobs.run_scheduled", ("fold_kpis",))
    assert Schedule.objects.get(name="fold_kpis").next_run > clock.now()


def test_schedules_of_others_are_left_alone() -> None:
    Schedule.objects.create(name="theirs", func="math.sqrt", args="(4,)")
    schedules.sync()
    assert "theirs" in names()


def test_a_bad_cron_line_changes_nothing(settings: Settings) -> None:
    before = names()
    settings.JOBS = {"bad": {"run": "tests.ops.deeds.succeed", "cron": "every day"}}
    with pytest.raises(ImproperlyConfigured, match="'every day' of bad is not a cron line"):
        schedules.sync()
    assert names() == before
