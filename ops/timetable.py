"""The timetable: a row in the ledger for each time that a job is due, put there when it is.

It follows from ``settings.JOBS`` alone. No table says what is to run, so none can be wrong, and a bad line of one job
stops no other. Every process of the worker looks at the clock; whoever comes first puts the row there, with its task,
in one transaction. After an absence the latest time is run, once for all that were missed, and those are marked missed;
where it is too late even for that one (``within``), it waits for the next.
"""

import logging
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from croniter import croniter
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from cerply import clock
from cerply.identifiers import uuid7
from ops import jobs
from ops.models import JobOutcome, JobRun
from ops.wake import enqueue

logger = logging.getLogger(__name__)

# Of a long absence, no more than the latest so many times of each job get a row.
MOST_MISSED = 300

# One that was marked missed by a clock that was fast is due after all.
EXPECT = """
    INSERT INTO job_runs AS run (id, job, "window", attempts, outcome, detail, lease_until)
    SELECT %(id)s, %(job)s, %(window)s, 0, 'due', '', statement_timestamp() + make_interval(secs => %(asked)s)
    ON CONFLICT (job, "window") DO UPDATE
       SET outcome = 'due', detail = '', lease_until = excluded.lease_until, finished_at = NULL
     WHERE run.outcome = 'missed'
    RETURNING id
"""


def due(job: str, moment: datetime) -> datetime:
    """The latest time at which the job was due."""
    # The iterator looks before, and never at, the moment that it is given.
    return next(_backwards(job, moment + timedelta(microseconds=1)))


def next_due(job: str, moment: datetime) -> datetime:
    """The first time after the moment at which it is due."""
    latest: datetime = croniter(settings.JOBS[job]["cron"], moment.astimezone(UTC)).get_next(datetime)
    return latest


def _backwards(job: str, moment: datetime) -> Iterator[datetime]:
    times = croniter(settings.JOBS[job]["cron"], moment.astimezone(UTC))
    while True:
        yield times.get_prev(datetime)


class Timekeeper:
    """Looks at the clock for one process, and at the database only when a job has become due."""

    def __init__(self) -> None:
        self.seen: dict[str, datetime] = {}

    def look(self) -> None:
        moment = clock.now()
        for job in settings.JOBS:
            try:
                window = due(job, moment)
                if self.seen.get(job) != window:
                    expect(job, moment)
                    self.seen[job] = window
            except DatabaseError:
                raise
            except Exception:
                logger.exception("job %s cannot be put on the timetable; the others are", job)


@transaction.atomic
def expect(job: str, moment: datetime) -> bool:
    """Puts the latest time at which it was due into the ledger, and those that were missed before it.

    Whether its task was put into the queue: not where another process came first, and not where it is too late.
    """
    window = due(job, moment)
    within: timedelta | None = settings.JOBS[job].get("within")
    too_late = within is not None and moment - window > within
    _mark_missed(job, window, too_late)
    if too_late:
        row = _missed(job, window, f"Not run: it was more than {within} late.")
        JobRun.objects.bulk_create([row], ignore_conflicts=True)
        return False
    with connection.cursor() as cursor:
        asked = jobs.ASKED.total_seconds()
        cursor.execute(EXPECT, {"id": uuid7(), "job": job, "window": window, "asked": asked})
        if cursor.fetchone() is None:
            return False
    enqueue("ops.jobs.run", job, window)
    return True


def _mark_missed(job: str, window: datetime, too_late: bool) -> None:
    """All before this one that nobody has begun."""
    detail = "Not run: no worker was there in time."
    if not too_late:
        detail += f" The run of {window:%Y-%m-%d %H:%M} makes up for it."
    before = JobRun.objects.filter(job=job, window__lt=window)
    latest = before.order_by("-window").first()
    if latest is None:  # it is new here
        return
    before.filter(outcome=JobOutcome.DUE, attempts=0).update(
        outcome=JobOutcome.MISSED, detail=detail, finished_at=clock.now()
    )
    missed: deque[JobRun] = deque()
    for time in _backwards(job, window):
        if time <= latest.window or len(missed) == MOST_MISSED:
            break
        missed.appendleft(_missed(job, time, detail))
    JobRun.objects.bulk_create(missed, ignore_conflicts=True)


def _missed(job: str, window: datetime, detail: str) -> JobRun:
    now = clock.now()
    return JobRun(
        job=job, window=window, attempts=0, outcome=JobOutcome.MISSED, detail=detail, lease_until=now, finished_at=now
    )
