"""The queue's schedules, which are those of ``settings.JOBS`` and no others of ours."""

from croniter import croniter
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django_q.models import Schedule

FUNCTION = "ops.jobs.run_scheduled"


def sync() -> str:
    """Creates, changes and deletes rows until they say what the code says; one that is right keeps its next run."""
    for job, options in settings.JOBS.items():
        # The queue itself would stop all schedules for one bad line.
        if not croniter.is_valid(options["cron"]):
            raise ImproperlyConfigured(f"JOBS: {options['cron']!r} of {job} is not a cron line.")
    with transaction.atomic():
        ours = Schedule.objects.select_for_update().filter(func=FUNCTION)
        deleted, _ = ours.exclude(name__in=settings.JOBS).delete()
        present: dict[str, Schedule] = {}
        for schedule in ours.order_by("id"):
            if present.setdefault(schedule.name, schedule) is not schedule:
                schedule.delete()
        for job, options in settings.JOBS.items():
            _put(present.get(job) or Schedule(name=job), job, options["cron"])
    return f"{len(settings.JOBS)} jobs are scheduled; {deleted} others no longer are."


def _put(schedule: Schedule, job: str, cron: str) -> None:
    wanted = {"func": FUNCTION, "args": repr((job,)), "schedule_type": Schedule.CRON, "cron": cron, "repeats": -1}
    if schedule.pk and all(getattr(schedule, name) == value for name, value in wanted.items()):
        return
    for name, value in wanted.items():
        setattr(schedule, name, value)
    schedule.next_run = schedule.calculate_next_run()
    schedule.save()
