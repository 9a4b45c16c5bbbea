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
from django_q.models import OrmQ, Schedule
from pytest_django import Settings

from audit import kpis
from audit.models import AuditEvent, Kpi, KpiDelta, KpiTotal
from cerply import clock
from cerply.management.processes import children_of
from ops import features, health, heartbeats, jobs
from ops.features import Feature
from ops.models import JobOutcome, JobRun, WorkerHeartbeat
from ops.wake import enqueue
from tests.factories import make_organization
from tests.processes import environment

SECONDS = 60


def until(condition: Callable[[], bool]) -> None:
    """Other processes take their time; this is how long they have."""
    for _ in range(SECONDS * 50):
        if condition():
            return
        Event().wait(0.02)
    raise AssertionError("It did not happen.")


@contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "qcluster"],
        env=environment(),
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


# -- the real thing --


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_workers_do_a_job_once_and_say_that_they_live() -> None:
    KpiDelta.objects.bulk_create(KpiDelta(kpi=Kpi.BADGES_AWARDED, amount=1) for _ in range(100))
    Schedule.objects.update(next_run=clock.now() + timedelta(days=1))
    with transaction.atomic():
        for _ in range(10):
            enqueue("ops.jobs.run", "fold_kpis", jobs.due("fold_kpis", clock.now()))
    with worker(), worker():
        until(JobRun.objects.filter(outcome=JobOutcome.SUCCEEDED).exists)
        until(lambda: WorkerHeartbeat.objects.count() >= 4)
        until(lambda: not OrmQ.objects.exists())
    run = JobRun.objects.get()
    assert (run.job, run.attempts, run.detail) == ("fold_kpis", 1, "Folded 100 KPI deltas.")
    assert KpiTotal.objects.get().amount == kpis.totals()["badges_awarded"] == 100
    assert (health.worker_age_seconds() or 0) < SECONDS
    assert features.notice_changes() == "Noticed 0 switched features."


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux has a call for it")
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_leaves_no_process_behind() -> None:
    Schedule.objects.update(next_run=clock.now() + timedelta(days=1))
    with worker() as process:
        until(lambda: WorkerHeartbeat.objects.count() >= 2)
        family = [pid for child in children_of(process.pid) for pid in (child, *children_of(child))]
        assert len(family) >= 3
        process.send_signal(signal.SIGKILL)
        process.wait()
        until(lambda: all(is_gone(str(pid)) for pid in family))
