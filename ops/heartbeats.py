"""The job worker's signs of life.

The queue keeps its own statistics in Django's cache, which each process has for itself here. So every process that
works off tasks says that it lives, from a thread, also while a long task runs. The same thread looks at the clock for
what is due, and at the ledger for what was left behind.
"""

import logging
import os
import socket
from datetime import timedelta
from threading import Event, Thread
from typing import Any

from django.db import DatabaseError, connection
from django.db.models.functions import Now

from ops import jobs, tallies
from ops.features import notice_changes
from ops.models import WorkerHeartbeat
from ops.timetable import Timekeeper

logger = logging.getLogger(__name__)

INTERVAL = timedelta(seconds=5)
FORGET_AFTER = timedelta(hours=1)


def worker_age() -> float | None:
    """Seconds since a worker last said that it lives; None where none has for an hour at least."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM statement_timestamp() - max(beat_at)) FROM worker_heartbeats")
        age = cursor.fetchone()[0]
    return None if age is None else max(0.0, float(age))


def beat() -> None:
    """This process lives."""
    WorkerHeartbeat.objects.update_or_create(
        process=f"{socket.gethostname()}:{os.getpid()}"[-255:], defaults={"beat_at": Now()}
    )
    WorkerHeartbeat.objects.filter(beat_at__lt=Now() - FORGET_AFTER).delete()


def start(**kwargs: Any) -> None:
    """The queue's ``post_spawn``, which is sent in each new worker process."""
    Thread(target=keep_beating, args=(Event(),), name="heartbeat", daemon=True).start()


def keep_beating(stop: Event) -> None:
    """Until the process ends. A worker that starts may have another environment than the last one: that is noticed."""
    noticed = False
    timekeeper = Timekeeper()
    try:
        while True:
            try:
                beat()
                timekeeper.look()
                jobs.sweep()
                tallies.flush()
                if not noticed:
                    notice_changes()
                    noticed = True
            except DatabaseError as exc:
                logger.warning("no heartbeat: the database does not answer: %s", exc)
                connection.close()
            if stop.wait(INTERVAL.total_seconds()):
                return
    finally:
        connection.close()
