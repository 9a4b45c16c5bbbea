"""How each job keeps its times: what was expected of it, against what it did."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count

from cerply import clock
from ops.models import JobOutcome, JobRun
from ops.timetable import due, next_due

logger = logging.getLogger(__name__)

LATELY = timedelta(days=1)
# Later than that, somebody should look.
PATIENCE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Punctuality:
    job: str
    # None where nothing of it is in the ledger.
    latest: JobRun | None
    latest_success: JobRun | None
    next_at: datetime
    # The first time at which it was due and that no success has made up for; None: it is on time.
    waiting_since: datetime | None

    def since_success(self, moment: datetime) -> timedelta | None:
        ended = self.latest_success.finished_at if self.latest_success else None
        return None if ended is None else max(timedelta(), moment - ended)

    def overdue(self, moment: datetime) -> timedelta:
        return moment - self.waiting_since if self.waiting_since else timedelta()


# Of each job, one look into the index of the ledger.
LATEST = """
    SELECT run.* FROM unnest(%s::text[]) AS named (job)
     CROSS JOIN LATERAL (
        SELECT * FROM job_runs
         WHERE job_runs.job = named.job AND outcome LIKE %s ORDER BY "window" DESC LIMIT 1
     ) AS run
"""
FIRST = LATEST.replace("DESC", "ASC")


def punctuality() -> Iterator[Punctuality]:
    """Of each job, in the order of the settings; a bad line of one of them costs only that one."""
    moment = clock.now()
    latest, successes, first = _runs(LATEST, "%"), _runs(LATEST, JobOutcome.SUCCEEDED), _runs(FIRST, "%")
    for job in settings.JOBS:
        try:
            yield Punctuality(
                job,
                latest.get(job),
                successes.get(job),
                next_due(job, moment),
                _waiting_since(job, latest.get(job), successes.get(job), first.get(job), moment),
            )
        except ValueError as exc:  # croniter's are
            logger.error("job %s has no times: %s", job, exc)


def _runs(sql: str, outcome: str) -> dict[str, JobRun]:
    return {run.job: run for run in JobRun.objects.raw(sql, [list(settings.JOBS), outcome])}


def _waiting_since(
    job: str, latest: JobRun | None, success: JobRun | None, first: JobRun | None, moment: datetime
) -> datetime | None:
    if latest and latest.outcome == JobOutcome.MISSED:  # it is too late for it, and it is to wait
        return None
    if success is None:
        return first.window if first else due(job, moment)
    since = next_due(job, success.window)
    return since if since <= moment else None


def lately() -> dict[tuple[str, str], int]:
    """How many runs of the last day ended, or stand, in each outcome, by job and outcome."""
    runs = JobRun.objects.filter(window__gt=clock.now() - LATELY).order_by()
    return {(job, outcome): n for job, outcome, n in runs.values_list("job", "outcome").annotate(n=Count("id"))}
