"""The job ledger: each job runs once for each time it is due, whoever is killed meanwhile.

The queue may hand the same task to two workers, or again after a death. So a run is claimed by its row, committed
before the work; the lease is kept by a heartbeat, and who stops beating loses it to the next one.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Thread
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils.module_loading import import_string

from cerply import clock
from cerply.identifiers import uuid7
from cerply.requests import request_id
from ops import tracing
from ops.models import JobOutcome, JobRun
from ops.wake import enqueue

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
HEARTBEAT = timedelta(seconds=15)
MOST_ATTEMPTS = 3
# Before the second try, and twice as long before the third.
PAUSE = timedelta(minutes=5)
# How long a task may be on its way to a worker before it is asked for again.
ASKED = timedelta(minutes=2)
KEEP = timedelta(days=90)
DETAIL_LENGTH = 2000

# One statement, so that of many claimants one has it. By the database's clock, which all of them share.
CLAIM = """
    INSERT INTO job_runs AS run
           (id, job, "window", attempts, outcome, detail, lease_until, heartbeat_at, started_at)
    SELECT %(id)s, %(job)s, %(window)s, 1, 'running', '', moment + make_interval(secs => %(lease)s), moment, moment
      FROM statement_timestamp() AS moment
    ON CONFLICT (job, "window") DO UPDATE
       SET attempts = run.attempts + 1, outcome = 'running', lease_until = excluded.lease_until,
           heartbeat_at = excluded.heartbeat_at, started_at = excluded.started_at
     WHERE run.finished_at IS NULL AND (run.outcome = 'due' OR run.lease_until <= statement_timestamp())
       AND run.attempts < %(most)s
    RETURNING id, attempts
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a run, as long as nobody else has claimed it since: then `attempts` is another number."""

    id: UUID
    job: str
    window: datetime
    attempts: int

    @classmethod
    def take(cls, job: str, window: datetime) -> "Claim | None":
        """None where the run is finished, or another worker holds its lease."""
        with connection.cursor() as cursor:
            cursor.execute(
                CLAIM,
                {"id": uuid7(), "job": job, "window": window, "lease": LEASE.total_seconds(), "most": MOST_ATTEMPTS},
            )
            row = cursor.fetchone()
        return cls(row[0], job, window, row[1]) if row else None

    def renew(self) -> bool:
        """Keeps the lease; False when it is lost."""
        return self._update(heartbeat_at=Now(), lease_until=Now() + LEASE)

    def succeed(self, detail: str) -> bool:
        return self._update(outcome=JobOutcome.SUCCEEDED, detail=detail[:DETAIL_LENGTH], finished_at=Now())

    def fail(self, detail: str) -> bool:
        """Lets go of it, for another try after a while; the last one is final."""
        detail = detail.replace("\0", "")[:DETAIL_LENGTH]
        if self.attempts < MOST_ATTEMPTS:
            logger.warning("job %s of %s failed, and is tried again: %s", self.job, self.window, detail)
            return self._update(outcome=JobOutcome.FAILED, detail=detail, lease_until=Now() + PAUSE * self.attempts)
        logger.error("job %s of %s failed %s times, giving up: %s", self.job, self.window, self.attempts, detail)
        return self._update(outcome=JobOutcome.GAVE_UP, detail=detail, finished_at=Now())

    def _update(self, **changes: object) -> bool:
        mine = JobRun.objects.filter(id=self.id, attempts=self.attempts, finished_at=None)
        return bool(mine.update(**changes))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Beats, in a thread of its own, until the work is done."""
        done = Event()
        thread = Thread(target=self._beat, args=(done,), name=f"lease-{self.job}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _beat(self, done: Event) -> None:
        try:
            while not done.wait(HEARTBEAT.total_seconds()):
                try:
                    if not self.renew():
                        logger.error("job %s of %s: the lease was lost to another worker", self.job, self.window)
                        return
                except DatabaseError:
                    logger.exception("job %s of %s: no heartbeat", self.job, self.window)
                    connection.close()
        finally:
            connection.close()


def run(job: str, window: datetime) -> str:
    """Does the job for the time it was due, unless that is done or another worker is at it. Returns one sentence."""
    claim = Claim.take(job, window)
    if claim is None:
        return f"{job} of {window:%Y-%m-%d %H:%M} is done, or being done."
    work: Callable[[], str] = import_string(settings.JOBS[job]["run"])
    name = f"job-{job}-{window:%Y%m%dT%H%M}"[:128]
    with request_id(name, f"job:{job}"), claim.kept():
        try:
            with tracing.job_span(job):
                detail = work()
        except BaseException as exc:  # also the queue's timeout, which is a SystemExit
            connection.close_if_unusable_or_obsolete()
            claim.fail(f"{type(exc).__name__}: {exc}")
            raise
        claim.succeed(detail)
    return detail


def sweep() -> str:
    """Asks for what was left unfinished, gives up loudly on what was killed each time, forgets what is long past."""
    lapsed = JobRun.objects.filter(finished_at=None, lease_until__lte=Now())
    again = 0
    for left in lapsed:
        mine = lapsed.filter(id=left.id, attempts=left.attempts)
        if left.attempts >= MOST_ATTEMPTS:
            if mine.update(outcome=JobOutcome.GAVE_UP, finished_at=Now()):
                logger.error("job %s of %s was killed %s times, giving up", left.job, left.window, left.attempts)
        elif left.job in settings.JOBS:  # a worker of another release may know it
            with transaction.atomic():
                if mine.update(outcome=JobOutcome.DUE, lease_until=Now() + ASKED):
                    enqueue("ops.jobs.run", left.job, left.window)
                    again += 1
    # The latest of each job stays, or one that is rarely due would be taken for a new one.
    later = JobRun.objects.filter(job=OuterRef("job"), window__gt=OuterRef("window"))
    JobRun.objects.filter(Exists(later), window__lt=clock.now() - KEEP, finished_at__isnull=False).delete()
    return f"Asked again for {again} unfinished runs."
