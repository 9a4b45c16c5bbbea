"""`manage.py jobs`, and what the admin shows of them."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from cerply import clock
from ops import jobs
from ops.models import JobOutcome, JobRun
from ops.timetable import expect

TWO = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _jobs(settings: Settings) -> None:
    settings.JOBS = {
        "succeed": {"run": "tests.ops.deeds.succeed", "cron": "0 2 * * *"},
        "fail": {"run": "tests.ops.deeds.fail", "cron": "0 3 * * *"},
    }


def say(*arguments: str, at: datetime = TWO) -> str:
    output = StringIO()
    with clock.moved_to(at):
        call_command("jobs", *arguments, stdout=output)
    return output.getvalue()


def succeed(job: str, window: datetime) -> None:
    times = {"started_at": window + timedelta(seconds=1), "finished_at": window + timedelta(seconds=3.5)}
    JobRun.objects.create(job=job, window=window, outcome=JobOutcome.SUCCEEDED, attempts=1, lease_until=window, **times)


def test_it_shows_each_job_and_how_it_keeps_its_times() -> None:
    for job, hour in (("succeed", 2), ("fail", 3)):
        succeed(job, TWO.replace(hour=hour))
    said = say(at=TWO + timedelta(hours=2))
    [_, first, second] = said.splitlines()
    assert first.split("  ")[0] == "succeed"
    assert "1:59:56 ago" in first
    assert "Succeeded, 2026-03-01 02:00" in first
    assert "2026-03-02 02:00" in first
    assert "OVERDUE" not in said
    assert second.startswith("fail")


def test_it_fails_and_names_what_is_overdue() -> None:
    succeed("succeed", TWO)
    succeed("fail", TWO - timedelta(hours=23))
    JobRun.objects.create(job="fail", window=TWO + timedelta(hours=1), lease_until=TWO)
    say(at=TWO + timedelta(hours=1, minutes=29))
    with pytest.raises(CommandError, match=r"Overdue: fail\."):
        say(at=TWO + timedelta(hours=1, minutes=31))


def test_it_fails_where_nothing_ever_ran() -> None:
    with pytest.raises(CommandError, match=r"Overdue: succeed, fail\."):
        say(at=TWO + timedelta(hours=5))


def test_it_fails_and_names_a_job_whose_line_cannot_be_read(settings: Settings) -> None:
    settings.JOBS = {"bad": {"run": "tests.ops.deeds.succeed", "cron": "every day"}}
    with pytest.raises(CommandError, match=r"cannot be read|can be read: bad"):
        say()


def test_of_one_job_it_shows_the_runs() -> None:
    succeed("succeed", TWO)
    with clock.moved_to(TWO + timedelta(days=3)):
        expect("succeed", clock.now())
    lines = say("succeed").splitlines()
    assert lines[0].split() == ["due", "(UTC)", "outcome", "attempts", "took", "what", "it", "did,", "or", "why", "not"]
    assert [line[:16] for line in lines[1:]] == [f"2026-03-0{day} 02:00" for day in (4, 3, 2, 1)]
    assert "Missed" in lines[2]
    assert "makes up for it" in lines[2]
    assert "2.5 s" in lines[4]


@pytest.mark.django_db(transaction=True)
def test_it_runs_one_now_through_the_ledger() -> None:
    assert say("succeed", "--run").strip() == "Done as job-succeed-20260301T0200."
    assert "is done, or being done" in say("succeed", "--run")
    assert JobRun.objects.get().outcome == JobOutcome.SUCCEEDED
    with pytest.raises(CommandError, match="Name the job to run"):
        say("--run")
    with pytest.raises(RuntimeError, match="No luck"):
        say("fail", "--run")


def test_the_admin_shows_the_ledger(console: Client) -> None:
    succeed("succeed", TWO)
    with clock.moved_to(TWO + timedelta(days=2)):
        expect("succeed", clock.now())
    page = console.get("/admin/ops/jobrun/").content.decode()
    for text in ("Succeeded", "Missed", "Due", "0:00:02.5", "no worker was there in time"):
        assert text in page
    run = JobRun.objects.get(outcome=JobOutcome.SUCCEEDED)
    assert console.get(f"/admin/ops/jobrun/{run.id}/change/").status_code == 200
    assert console.post("/admin/ops/jobrun/add/").status_code == 403


def test_the_front_page_names_what_is_overdue(console: Client) -> None:
    succeed("succeed", TWO)
    with clock.moved_to(TWO + timedelta(days=2)):
        page = console.get("/admin/").content.decode()
    assert "succeed has been due since 2026-03-02 02:00" in page


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_given_up_keeps_its_reason() -> None:
    for _ in range(jobs.MOST_ATTEMPTS):
        with pytest.raises(RuntimeError):
            jobs.run("fail", TWO)
        JobRun.objects.update(lease_until=TWO)
    assert "Given up" in say("fail")
    assert "RuntimeError: No luck." in say("fail")
