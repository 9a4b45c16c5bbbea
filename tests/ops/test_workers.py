"""The worker's processes: their signs of life, their end, and that they do each job once."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django_q.models import OrmQ
from pytest_django import Settings

from audit.models import AuditEvent
from cerply import clock
from cerply.management.processes import children_of
from ops import features, health, heartbeats
from ops.features import Feature
from ops.models import JobOutcome, JobRun, WorkerHeartbeat
from ops.timetable import due
from ops.wake import enqueue
from tests.factories import make_organization
from tests.management.watching import family
from tests.ops import worker_settings
from tests.ops.bells import redis
from tests.processes import environment

SECONDS = 60


def until(condition: Callable[[], object]) -> None:
    """Other processes take their time; this is how long they have."""
    for _ in range(SECONDS * 50):
        if condition():
            return
        Event().wait(0.02)
    raise AssertionError("It did not happen.")


@contextmanager
def worker(redis_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """With the jobs of `tests.ops.worker_settings`."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "qcluster"],
        env=environment() | {"DJANGO_SETTINGS_MODULE": "tests.ops.worker_settings", "REDIS_URL": redis_url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(SECONDS)


# -- signs of life --


def test_the_worker_s_age_is_that_of_the_latest_sign_of_life(db: None) -> None:
    assert health.worker_age_seconds() is None
    WorkerHeartbeat.objects.create(process="a:1", beat_at=Now() - timedelta(seconds=100))
    WorkerHeartbeat.objects.create(process="a:2", beat_at=Now() - timedelta(seconds=40))
    assert 40 <= (health.worker_age_seconds() or 0) < 45


def test_processes_that_are_long_gone_are_forgotten(db: None) -> None:
    WorkerHeartbeat.objects.create(process="gone", beat_at=Now() - timedelta(hours=2))
    WorkerHeartbeat.objects.create(process="silent", beat_at=Now() - timedelta(minutes=30))
    heartbeats.beat()
    heartbeats.beat()
    assert WorkerHeartbeat.objects.exclude(process="silent").get().process.endswith(f":{os.getpid()}")


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_starts_notices_what_the_environment_switched(settings: Settings) -> None:
    organization = make_organization()
    settings.FEATURE_SWITCHES = dict.fromkeys(Feature.values, False)
    stop = Event()
    stop.set()
    heartbeats.keep_beating(stop)
    assert AuditEvent.objects.filter(type="feature_switched", organization_id=organization.id).count() == 3


@pytest.mark.django_db(transaction=True)
def test_it_goes_on_when_the_database_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "INTERVAL", timedelta(milliseconds=1))
    stop = Event()
    thread = Thread(target=heartbeats.keep_beating, args=(stop,))
    thread.start()
    try:
        until(WorkerHeartbeat.objects.exists)
        for _ in range(3):
            before = WorkerHeartbeat.objects.get().beat_at
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            until(lambda before=before: WorkerHeartbeat.objects.get().beat_at > before)  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()


# -- their end --

FORKS = """
import os, signal, sys
from ops.orphans import end_with_parent
end_with_parent()
if os.fork() == 0:
    if os.fork() == 0:
        print(os.getpid(), os.getppid(), flush=True)
    signal.pause()
    os._exit(0)
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has a call for it")
def test_the_queue_s_processes_die_with_their_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", FORKS], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    grandchild, child = parent.stdout.readline().split()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: all(is_gone(pid) for pid in (child, grandchild)))


def is_gone(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


# -- the real thing, which polls or is woken by Redis --


@pytest.fixture(params=["polled", "rung"])
def redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "polled":
        yield ""
        return
    with redis() as bell:
        yield bell.url


@pytest.fixture
def own_jobs(settings: Settings) -> None:
    """Those of the workers that the test starts."""
    settings.JOBS = worker_settings.JOBS


def outcome(job: str) -> tuple[str, int] | None:
    return JobRun.objects.filter(job=job).values_list("outcome", "attempts").first()


def lapse() -> None:
    """As if its lease were over, and its task were due again."""
    JobRun.objects.filter(outcome=JobOutcome.RUNNING).update(lease_until=Now() - timedelta(seconds=1))
    OrmQ.objects.update(lock=Now() - timedelta(seconds=1))


@contextmanager
def held_up() -> Iterator[None]:
    """Inside, the job that waits cannot go on."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(1)")
        yield


def workers_of(process: subprocess.Popen[bytes]) -> set[int]:
    """The processes that work off tasks, which say that they live."""
    pids = {int(name.rpartition(":")[2]) for name in WorkerHeartbeat.objects.values_list("process", flat=True)}
    return pids & set(family(process.pid))


def who_waits() -> int:
    """How many jobs wait for the test."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return int(cursor.fetchone()[0])


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_workers_do_each_job_once_and_say_that_they_live(redis_url: str, own_jobs: None) -> None:
    with transaction.atomic():
        for _ in range(10):
            enqueue("ops.jobs.run", "succeed", due("succeed", clock.now()))
    with worker(redis_url), worker(redis_url):
        until(lambda: outcome("succeed") == ("succeeded", 1))
        until(lambda: outcome("wait") == ("succeeded", 1))
        until(lambda: WorkerHeartbeat.objects.count() >= 4)
    assert JobRun.objects.filter(job__in=["succeed", "wait"]).count() == 2
    assert (health.worker_age_seconds() or 0) < SECONDS
    assert features.notice_changes() == "Noticed 0 switched features."


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_job_whose_worker_is_killed_is_taken_up_and_one_that_kills_is_given_up(redis_url: str) -> None:
    with worker(redis_url) as process:
        with held_up():
            until(lambda: who_waits() and len(workers_of(process)) >= 2)
            killed = workers_of(process)
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            until(lambda: all(is_gone(str(pid)) for pid in killed))
        assert outcome("wait") == ("running", 1)

        def lapsed_until(*, job: str, said: tuple[str, int]) -> bool:
            lapse()
            return outcome(job) == said

        until(lambda: lapsed_until(job="wait", said=("succeeded", 2)))
        until(lambda: lapsed_until(job="die", said=("gave_up", 3)))
        assert outcome("succeed") == ("succeeded", 1)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_told_to_stop_ends_what_it_has_begun(redis_url: str) -> None:
    with worker(redis_url) as process:
        with held_up():
            until(who_waits)
            process.terminate()
            assert outcome("wait") == ("running", 1)
        assert process.wait(SECONDS) == 0
    assert outcome("wait") == ("succeeded", 1)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("at", [0.0, 0.3, 1.0])
def test_a_worker_that_is_killed_at_any_moment_of_its_start_leaves_the_rest_to_the_next(at: float) -> None:
    with worker("") as process:
        until(lambda: len(children_of(process.pid)) > 0)
        Event().wait(at)
        process.kill()
        process.wait()

    def all_done() -> bool:
        lapse()
        return outcome("succeed") in {("succeeded", 1), ("succeeded", 2)} and (outcome("wait") or "")[0] == "succeeded"

    with worker(""):
        until(all_done)
    assert JobRun.objects.filter(job="succeed").count() == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux has a call for it")
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_leaves_no_process_behind() -> None:
    with worker("") as process:
        until(lambda: WorkerHeartbeat.objects.count() >= 2)
        relatives = family(process.pid)
        assert len(relatives) >= 4
        process.send_signal(signal.SIGKILL)
        process.wait()
        until(lambda: all(is_gone(str(pid)) for pid in relatives))
