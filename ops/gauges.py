"""What `/metrics` reads when it is asked: the queue, the jobs, and what is owed to the outside."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.apps import apps
from django.db.models import Min, QuerySet
from django.db.models.functions import Now
from django_q.models import OrmQ

from audit import kpis
from cerply import clock
from cerply.metrics import Reading, register
from ops.heartbeats import worker_age
from ops.models import JobOutcome
from ops.outbox import OutboxState, Owed
from ops.punctuality import lately, punctuality

NEVER = float("inf")

type Owing = Callable[[], QuerySet[Any]]

# Rows that owe something and are no `Owed`: which ones do still, and since when each does.
ALSO_OWED: dict[str, tuple[Owing, str]] = {}


def also_owed(name: str, rows: Owing, since: str) -> None:
    """To be called in ``AppConfig.ready``; ``since`` is the field of the time at which it came to be."""
    ALSO_OWED[name] = rows, since


def register_all() -> None:
    register("worker_age_seconds", "Since a process of the job worker last said that it lives.", worker)
    register("queue_tasks", "Tasks that wait for a worker, and those that one has.", queue_depth, ["state"])
    register("queue_age_seconds", "How long the first of the tasks that wait has been waiting.", queue_age)
    register("job_last_success_age_seconds", "Since the job last did what it is for.", last_successes, ["job"])
    register("job_overdue_seconds", "Since a time at which the job was due, with no success since.", late, ["job"])
    register("job_last_duration_seconds", "What the latest success took.", durations, ["job"])
    register("job_runs_in_a_day", "Runs of the last 24 hours, by how they stand.", runs, ["job", "outcome"])
    register("outbox_rows", "What is owed to the outside and due, or given up.", outbox_rows, ["outbox", "state"])
    register("outbox_oldest_age_seconds", "Since the oldest thing that is owed and due came to be.", oldest, ["outbox"])
    register("kpis", "The counters that /api/ops/kpis tells.", platform_kpis, ["kpi"])


def worker() -> Iterable[Reading]:
    age = worker_age()
    return [((), NEVER if age is None else age)]


def queue_depth() -> Iterable[Reading]:
    everything = OrmQ.objects.count()
    taken = OrmQ.objects.filter(lock__gt=Now()).count()
    return [(("waiting",), everything - taken), (("taken",), taken)]


def queue_age() -> Iterable[Reading]:
    first = OrmQ.objects.filter(lock__lte=Now()).order_by("id").first()
    if first is None:
        return [((), 0)]
    return [((), max(0.0, (clock.now() - first.task["started"]).total_seconds()))]


def last_successes() -> Iterator[Reading]:
    moment = clock.now()
    for each in punctuality():
        since = each.since_success(moment)
        yield (each.job,), NEVER if since is None else since.total_seconds()


def late() -> Iterator[Reading]:
    moment = clock.now()
    for each in punctuality():
        yield (each.job,), each.overdue(moment).total_seconds()


def durations() -> Iterator[Reading]:
    for each in punctuality():
        if each.latest_success and each.latest_success.duration is not None:
            yield (each.job,), each.latest_success.duration.total_seconds()


def runs() -> Iterator[Reading]:
    counts = lately()
    for each in punctuality():
        for outcome in JobOutcome:
            yield (each.job, outcome.value), counts.get((each.job, outcome.value), 0)


def outboxes() -> Iterator[type[Owed]]:
    for model in apps.get_models():
        if issubclass(model, Owed):
            yield model


def outbox_rows() -> Iterator[Reading]:
    for model in outboxes():
        table = model._meta.db_table
        # One by one, so that each finds its partial index.
        for state in (OutboxState.DUE, OutboxState.DEAD):
            yield (table, state.value), model._base_manager.filter(state=state).count()
    for name, (rows_of, _) in ALSO_OWED.items():
        yield (name, OutboxState.DUE.value), rows_of().count()


def oldest() -> Iterator[Reading]:
    """Of each outbox what is due by now, or was tried and is due again: what may wait for its time is not late."""
    moment = clock.now()
    for model in outboxes():
        rows = model._base_manager.filter(state=OutboxState.DUE)
        tried = rows.filter(tries__gt=0).aggregate(first=Min("created_at"))["first"]
        due = rows.filter(tries=0, due_at__lte=moment).aggregate(first=Min("due_at"))["first"]
        since = min((time for time in (tried, due) if time), default=moment)
        yield (model._meta.db_table,), max(0.0, (moment - since).total_seconds())
    for name, (rows_of, field) in ALSO_OWED.items():
        first = rows_of().aggregate(first=Min(field))["first"] or moment
        yield (name,), max(0.0, (moment - first).total_seconds())


def platform_kpis() -> Iterator[Reading]:
    for kpi, amount in kpis.totals().items():
        yield (kpi,), amount
