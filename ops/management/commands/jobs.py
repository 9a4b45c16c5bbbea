from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cerply import clock
from ops import jobs
from ops.models import JobRun
from ops.punctuality import PATIENCE, Punctuality, lately, punctuality
from ops.timetable import due

MOST_RUNS = 20
HEADINGS = ("job", "cron (UTC)", "last success", "latest run", "next", "missed, given up in a day", "")


class Command(BaseCommand):
    help = (
        "How the jobs keep their times; of one job, its latest runs. With --run, does it now for its latest time, "
        "unless that is done. Fails where one is overdue."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", nargs="?", choices=sorted(settings.JOBS), metavar="JOB")
        parser.add_argument("--run", action="store_true", help="Do it now, through the ledger.")

    def handle(self, *args: Any, job: str | None, run: bool, **options: Any) -> None:
        if run:
            if job is None:
                raise CommandError("Name the job to run.")
            self.stdout.write(jobs.run(job, due(job, clock.now())))
        elif job:
            self.show_runs(job)
        else:
            self.show_all()

    def show_runs(self, job: str) -> None:
        rows = [("due (UTC)", "outcome", "attempts", "took", "what it did, or why not")]
        for run in JobRun.objects.filter(job=job).order_by("-window")[:MOST_RUNS]:
            rows.append((_time(run), run.get_outcome_display(), str(run.attempts), _seconds(run.duration), run.detail))
        self.table(rows)

    def show_all(self) -> None:
        moment, counts = clock.now(), lately()
        standings = list(punctuality())
        rows = [HEADINGS]
        for each in standings:
            rows.append(
                (
                    each.job,
                    settings.JOBS[each.job]["cron"],
                    _ago(each.since_success(moment)),
                    f"{each.latest.get_outcome_display()}, {_time(each.latest)}" if each.latest else "none",
                    f"{each.next_at:%Y-%m-%d %H:%M}",
                    f"{counts.get((each.job, 'missed'), 0)}, {counts.get((each.job, 'gave_up'), 0)}",
                    "OVERDUE" if each.overdue(moment) > PATIENCE else "",
                )
            )
        self.table(rows)
        self.judge(standings)

    def judge(self, standings: list[Punctuality]) -> None:
        moment = clock.now()
        if late := [each.job for each in standings if each.overdue(moment) > PATIENCE]:
            raise CommandError(f"Overdue: {', '.join(late)}.")
        if unknown := sorted(settings.JOBS.keys() - {each.job for each in standings}):
            raise CommandError(f"Without times that can be read: {', '.join(unknown)}.")

    def table(self, rows: Sequence[tuple[str, ...]]) -> None:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            self.stdout.write("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _time(run: JobRun) -> str:
    return f"{run.window:%Y-%m-%d %H:%M}"


def _seconds(duration: timedelta | None) -> str:
    return "–" if duration is None else f"{duration.total_seconds():.1f} s"


def _ago(age: timedelta | None) -> str:
    return "never" if age is None else f"{age - timedelta(microseconds=age.microseconds)} ago"
