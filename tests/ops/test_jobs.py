"""The ledger: each job runs once for each time it is due, whoever is killed meanwhile."""

import signal
import threading
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from croniter import croniter
from django.conf import settings as django_settings
from django.db.models.functions import Now
from django.utils.module_loading import import_string
from django_q.models import OrmQ
from pytest_django import Settings

from cerply import clock
from ops import jobs
from ops.jobs import Claim
from ops.models import JobOutcome, JobRun
from tests.processes import run_python
from tests.threads import at_once

# Those of the service.
JOBS = dict(django_settings.JOBS)
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
    assert run.duration is not None
    assert timedelta() < run.duration < timedelta(minutes=1)


def test_every_job_is_there() -> None:
    for options in JOBS.values():
        assert callable(import_string(options["run"]))
        assert croniter.is_valid(options["cron"])


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
            if JobRun.objects.filter(
                heartbeat_at__gt=started.heartbeat_at, lease_until__gt=started.lease_until
            ).exists():
                return
    raise AssertionError("It does not beat.")


# -- failing --


def test_a_job_that_fails_is_tried_again_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    fail_once()
    run = JobRun.objects.get()
    assert (run.outcome, run.finished_at, run.detail) == ("failed", None, "RuntimeError: No luck.")
    assert run.heartbeat_at is not None
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


# -- killed at each step, in a process of its own --

START = f"""
from datetime import datetime
from django.conf import settings
from ops import jobs, timetable

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

settings.JOBS = {{name: {{"run": f"tests.ops.deeds.{{name}}", "cron": "0 2 * * *"}} for name in ("succeed", "die")}}
window = datetime.fromisoformat("{WINDOW}")
"""
EXPECT = "timetable.expect('succeed', window)\n"
RUN = "jobs.run('succeed', window)\n"


def killed(code: str) -> None:
    done = run_python(START + code)
    assert done.returncode == -signal.SIGKILL, done.stderr


def left() -> tuple[str, int]:
    run = JobRun.objects.get()
    return run.outcome, run.attempts


def taken_up() -> tuple[str, int]:
    """What becomes of it when its lease is over: the next worker asks for it, and does it."""
    lapse()
    with clock.moved_to(WINDOW):
        jobs.sweep()
    for queued in OrmQ.objects.all():
        jobs.run(*queued.task["args"])
    return left()


@pytest.mark.slow
def test_killed_before_its_task_is_in_the_queue_is_not_expected_either() -> None:
    killed(f"timetable.enqueue = die\n{EXPECT}")
    assert not JobRun.objects.exists()
    killed(f"{EXPECT}die()")
    assert JobRun.objects.count() == OrmQ.objects.count() == 1


@pytest.mark.slow
def test_killed_with_the_task_in_its_hand_is_asked_for_again() -> None:
    killed(f"{EXPECT}jobs.Claim.take = die\n{RUN}")
    assert left() == ("due", 0)
    OrmQ.objects.all().delete()
    assert taken_up() == ("succeeded", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "step",
    [
        pytest.param("jobs.import_string = die", id="claimed"),
        pytest.param("jobs.import_string = lambda name: die", id="at work"),
        pytest.param("jobs.Claim.succeed = die", id="done and not yet said"),
    ],
)
def test_killed_at_work_is_taken_up_by_another(step: str) -> None:
    killed(f"{EXPECT}{step}\n{RUN}")
    assert left() == ("running", 1)
    assert "is done, or being done" in jobs.run("succeed", WINDOW)
    assert taken_up() == ("succeeded", 2)


@pytest.mark.slow
def test_killed_after_it_was_said_is_done() -> None:
    killed(f"{EXPECT}{RUN}die()")
    assert left() == taken_up() == ("succeeded", 1)


# -- sweeping --


def test_what_was_left_behind_is_asked_for_again() -> None:
    taken()
    assert jobs.sweep() == "Asked again for 0 unfinished runs."
    lapse()
    assert jobs.sweep() == "Asked again for 1 unfinished runs."
    assert jobs.sweep() == "Asked again for 0 unfinished runs."
    [task] = [queued.task for queued in OrmQ.objects.all()]
    assert (task["func"], task["args"]) == ("ops.jobs.run", ("succeed", WINDOW))


def test_what_many_sweep_at_once_is_asked_for_once() -> None:
    taken()
    lapse()
    assert sum(said == "Asked again for 1 unfinished runs." for said in at_once([jobs.sweep] * 8)) == 1
    assert OrmQ.objects.count() == 1


def test_what_was_asked_for_again_can_be_taken_at_once() -> None:
    taken()
    lapse()
    jobs.sweep()
    assert taken().attempts == 2


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


def test_old_runs_are_forgotten_but_not_unfinished_ones_nor_the_latest_of_a_job() -> None:
    jobs.run("succeed", WINDOW)
    jobs.run("succeed", WINDOW + timedelta(days=1))
    taken("fail")
    with clock.moved_to(WINDOW + timedelta(days=89)):
        jobs.sweep()
    assert JobRun.objects.count() == 3
    with clock.moved_to(WINDOW + timedelta(days=92)):
        jobs.sweep()
    assert set(JobRun.objects.values_list("job", "window")) == {
        ("fail", WINDOW),
        ("succeed", WINDOW + timedelta(days=1)),
    }


def test_the_heartbeat_ends_with_the_work() -> None:
    jobs.run("succeed", WINDOW)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lease-")]
