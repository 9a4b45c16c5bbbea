"""The daily verification, in rounds that go on where the last run stopped, so that none takes too long."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError

from audit.findings import MOST_KEPT, Report
from audit.models import Verification
from audit.verifying import compare, go_along
from cerply import clock

logger = logging.getLogger("audit")

EVERY = timedelta(days=1)
KEEP = timedelta(days=365)
# In seconds, well below what the queue allows.
LONGEST_RUN = 150


@dataclass(frozen=True, slots=True)
class State:
    """What the latest whole round found; None: there was none yet."""

    finished_at: datetime | None
    problems: int | None


def go_on() -> str:
    """The job: goes on with the round that is open, or begins one where the last is a day old."""
    latest = Verification.objects.first()
    if latest is None or (latest.finished_at and latest.started_at <= clock.now() - EVERY):
        latest = Verification.objects.create()
    if latest.finished_at:
        return f"The round of {latest.started_at:%Y-%m-%d %H:%M} is finished."
    report = Report()
    after = (latest.organization_id, latest.number) if latest.organization_id else None
    stopped = go_along(report, after=after, until=time.monotonic() + LONGEST_RUN)
    if stopped:
        latest.organization_id, latest.number = stopped
    else:
        compare(report)
        latest.finished_at = clock.now()
        Verification.objects.filter(started_at__lt=clock.now() - KEEP).delete()
    _note(latest, report)
    return report.summary


def state() -> State:
    """For health and metrics."""
    finished = Verification.objects.exclude(finished_at=None).first()
    return State(finished.finished_at, finished.problems) if finished else State(None, None)


def state_if_known() -> State:
    """For information, also while the database is away."""
    try:
        return state()
    except DatabaseError:
        return State(None, None)


def _note(verification: Verification, report: Report) -> None:
    verification.segments += report.segments
    verification.events += report.events
    verification.problems += report.problems.total()
    verification.remarks += report.remarks.total()
    verification.findings = (verification.findings + report.said)[:MOST_KEPT]
    verification.save()
    if not report.is_good:
        for line in report.said:
            logger.error("the audit does not verify: %s", line)
