"""The ledger: each job runs once for each time it is due, whoever is killed meanwhile."""

import signal
import threading
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.conf import settings as django_settings
from django.db.models.functions import Now
from django_q.models import OrmQ
from pytest_django import Settings

from cerply import clock
from ops import jobs
from ops.jobs import Claim
from ops.models import JobOutcome, JobRun
from tests.processes import run_python
from tests.threads import at_once

WINDOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _jobs(settings: Settings) -> None:
    settings.JOBS = {
        name: {"run": f"tests.ops.deeds.{name}", "cron": "0 2 * * *"} for name in ("succeed", "fail", "die")
    }


def take(job: str = "succeed") -> Claim | None:
    return Claim.take(job, WINDOW)


def taken(job: str = "succeed") -> Claim:
    claim = take(job)
    assert claim is not None
    return claim


def lapse() -> None:
    """As if so much time had passed that nobody holds a lease any more."""
    JobRun.objects.update(lease_until=Now() - timedelta(seconds=1))


def fail_once() -> None:
    with pytest.raises(RuntimeError, match="No luck"):
        jobs.run("fail", WINDOW)


# -- running --


def test_a_job_runs_under_a_request_id_and_says_what_it_did() -> None:
    assert jobs.run("succeed", WINDOW) == "Done as job-succeed-20260301T0200."
    run = JobRun.objects.get()
    assert (run.outcome, run.attempts, run.detail) == ("succeeded", 1, "Done as job-succeed-20260301T0200.")
    assert run.finished_at is not None


def test_what_is_done_is_not_done_again() -> None:
    jobs.run("succeed", WINDOW)
    assert jobs.run("succeed", WINDOW) == "succeed of 2026-03-01 02:00 is done, or being done."
    lapse()
    assert take() is None
    assert JobRun.objects.get().attempts == 1


def test_the_next_time_it_is_due_it_runs_again() -> None:
    jobs.run("succeed", WINDOW)
    jobs.run("succeed", WINDOW + timedelta(days=1))
    assert JobRun.objects.filter(outcome=JobOutcome.SUCCEEDED).count() == 2


def test_the_clock_decides_which_time_is_meant() -> None:
    assert jobs.due("succeed", WINDOW) == WINDOW
    assert jobs.due("succeed", WINDOW - timedelta(microseconds=1)) == WINDOW - timedelta(days=1)
    assert jobs.due("succeed", WINDOW + timedelta(hours=23)) == WINDOW
    with clock.moved_to(WINDOW + timedelta(minutes=3)):
        jobs.run_scheduled("succeed")
    assert JobRun.objects.get().window == WINDOW


# -- claiming --


def test_who_has_lost_the_lease_has_no_say_any_more() -> None:
    first = taken()
    assert take() is None
    assert first.renew()
    lapse()
    second = taken()
    assert not first.renew()
    assert not first.succeed("I did it.")
    assert not first.fail("I did not.")
    assert second.succeed("It was me.")
    assert JobRun.objects.get().detail == "It was me."


def test_of_many_claimants_one_wins() -> None:
    assert len([claim for claim in at_once([take] * 16) if claim]) == 1
    lapse()
    assert [claim.attempts for claim in at_once([take] * 16) if claim] == [2]


def test_many_workers_do_the_work_once() -> None:
    said = at_once([partial(jobs.run, "succeed", WINDOW)] * 8)
    assert len([sentence for sentence in said if sentence.startswith("Done as")]) == 1


def test_the_lease_is_kept_while_the_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "HEARTBEAT", timedelta(milliseconds=1))
    claim = taken()
    started = JobRun.objects.get()
    with claim.kept():
        for _ in range(10_000):
            run = JobRun.objects.get()
            if run.heartbeat_at > started.heartbeat_at and run.lease_until > started.lease_until:
                return
    raise AssertionError("It does not beat.")


# -- failing --


def test_a_job_that_fails_is_tried_again_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    fail_once()
    run = JobRun.objects.get()
    assert (run.outcome, run.finished_at, run.detail) == ("failed", None, "RuntimeError: No luck.")
    assert timedelta(minutes=4) < run.lease_until - run.heartbeat_at < timedelta(minutes=6)
    assert "is done, or being done" in jobs.run("fail", WINDOW)
    assert "is tried again" in caplog.text


def test_after_a_few_tries_it_is_given_up_loudly(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        fail_once()
        lapse()
    run = JobRun.objects.get()
    assert (run.outcome, run.attempts) == ("gave_up", 3)
    assert run.finished_at is not None
    assert take("fail") is None
    assert [record.levelname for record in caplog.records if "giving up" in record.message] == ["ERROR"]


@pytest.mark.slow
def test_a_run_that_is_killed_is_taken_up_by_another(settings: Settings) -> None:
    kill = (
        "from datetime import datetime\nfrom django.conf import settings\nfrom ops import jobs\n"
        f"settings.JOBS = {django_settings.JOBS!r}\n"
        f"jobs.run('die', datetime.fromisoformat('{WINDOW}'))"
    )
    assert run_python(kill).returncode == -signal.SIGKILL
    run = JobRun.objects.get()
    assert (run.outcome, run.attempts, run.finished_at) == ("running", 1, None)
    settings.JOBS = {"die": django_settings.JOBS["succeed"]}
    assert "is done, or being done" in jobs.run("die", WINDOW)
    lapse()
    assert jobs.run("die", WINDOW).startswith("Done as")
    run.refresh_from_db()
    assert (run.outcome, run.attempts) == ("succeeded", 2)


# -- sweeping --


def test_what_was_left_behind_is_asked_for_again() -> None:
    taken()
    assert jobs.sweep() == "Asked again for 0 unfinished runs."
    lapse()
    assert jobs.sweep() == "Asked again for 1 unfinished runs."
    [task] = [queued.task for queued in OrmQ.objects.all()]
    assert (task["func"], task["args"]) == ("ops.jobs.run", ("succeed", WINDOW))


def test_a_job_that_is_no_more_is_not_asked_for(settings: Settings) -> None:
    taken()
    lapse()
    settings.JOBS = {}
    assert jobs.sweep() == "Asked again for 0 unfinished runs."


def test_what_was_killed_each_time_is_given_up_loudly(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        taken()
        lapse()
    with clock.moved_to(WINDOW):
        jobs.sweep()
    assert JobRun.objects.get().outcome == JobOutcome.GAVE_UP
    assert "was killed 3 times, giving up" in caplog.text
    assert not OrmQ.objects.exists()


def test_old_runs_are_forgotten_but_not_unfinished_ones() -> None:
    jobs.run("succeed", WINDOW)
    taken("fail")
    with clock.moved_to(WINDOW + timedelta(days=89)):
        jobs.sweep()
    assert JobRun.objects.count() == 2
    with clock.moved_to(WINDOW + timedelta(days=91)):
        jobs.sweep()
    assert JobRun.objects.get().job == "fail"


def test_the_heartbeat_ends_with_the_work() -> None:
    jobs.run("succeed", WINDOW)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lease-")]
