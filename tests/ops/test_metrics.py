"""``/metrics``: who may read them, what they count, and that they name nobody."""

import re
import signal
from contextlib import closing
from datetime import UTC, datetime, timedelta
from socket import socket
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from django.core.mail import send_mail
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, Settings

from cerply import clock, metrics
from cerply.accounts.models import OwedLink
from cerply.mail import counted
from cerply.mail_providers import SMTP
from certificates.models import Certificate
from certificates.rendering import NotRendered, pdf_of, render_owed
from notifications import collecting
from notifications.models import OutgoingMail
from ops import gauges, tallies
from ops.exposition import exposition
from ops.models import JobOutcome, JobRun, WorkerHeartbeat
from ops.outbox import OutboxState
from ops.timetable import due
from ops.wake import enqueue
from tests.api.client import Api
from tests.factories import Cast, complete, give_answers
from tests.processes import run_python

TOKEN = "a-token-of-the-metrics-with-40-characters"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")

type Labels = dict[str, str]


@pytest.fixture
def client(db: None) -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture(autouse=True)
def _nothing_pending() -> None:
    metrics.take_pending()


def readings() -> dict[str, list[tuple[Labels, float]]]:
    """By the name of the sample."""
    tallies.flush()
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(exposition().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def reading(name: str, **labels: str) -> float:
    """The sum of those with these labels; 0 where there is none."""
    return sum(value for given, value in readings().get(name, []) if labels.items() <= given.items())


# -- who may read them --


def read_by(client: Client, token: str | None) -> int:
    headers = {"Authorization": token} if token is not None else {}
    return client.get("/metrics", headers=headers).status_code


def test_who_shows_the_token_reads_them(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}", "Host": "10.0.0.7:8080"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert answer["Cache-Control"] == "no-store"
    assert b"cerply_http_requests_total" in answer.content


@pytest.mark.parametrize("token", [None, "", "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}", "Bearer ü"])
def test_who_does_not_reads_nothing(client: Client, settings: Settings, token: str | None) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert read_by(client, token) == 401


@pytest.mark.parametrize("token", [None, "Bearer ", "Bearer None"])
def test_without_a_token_only_development_and_test_tell_them(
    client: Client, settings: Settings, token: str | None
) -> None:
    settings.METRICS_TOKEN = ""
    assert read_by(client, token) == 200
    settings.RELAXED = False
    assert read_by(client, token) == 401


def test_they_are_read_and_nothing_else(client: Client) -> None:
    assert client.post("/metrics").status_code == 405
    assert client.head("/metrics").status_code == 200


# -- requests --


def test_requests_are_counted_by_the_template_of_their_route(api: Api, cast: Cast) -> None:
    route = "/api/learners/{learner_id}/level/{track_id}"
    before = reading("cerply_http_requests_total", route=route, method="GET", status="200")
    waited = reading("cerply_database_seconds_total", route=route)
    asked = reading("cerply_database_queries_total", route=route)
    for _ in range(3):
        api.get(f"/learners/{cast.learner.id}/level/{cast.track.id}", by=cast.learner)
    assert reading("cerply_http_requests_total", route=route, method="GET", status="200") == before + 3
    assert reading("cerply_http_request_duration_seconds_count", route=route, method="GET") >= 3
    assert reading("cerply_database_queries_total", route=route) >= asked + 3
    assert reading("cerply_database_seconds_total", route=route) > waited


def test_what_fails_is_counted_as_what_it_was(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("On purpose.")

    monkeypatch.setattr("ops.views.features.decisions", fail)
    before = reading("cerply_http_requests_total", route="/api/flags", status="500")
    assert client.get("/api/flags").status_code == 500
    assert reading("cerply_http_requests_total", route="/api/flags", status="500") == before + 1


def test_strangers_cannot_add_series(client: Client, console: Client) -> None:
    client.get("/api/health")
    client.get("/nothing")
    client.generic("BREW", "/api/health")
    console.get("/admin/nothing/")
    before = len(readings()["cerply_http_requests_total"])
    for _ in range(5):
        client.get(f"/{uuid4()}")
        client.get(f"/static/{uuid4()}.css")
        client.get(f"/api/learners/{uuid4()}/badges")
        client.generic(f"BREW{uuid4().hex[:6]}", "/api/health")
        console.get(f"/admin/{uuid4()}/")
    after = readings()["cerply_http_requests_total"]
    # A static file that is not there, and the learner's badges; each also as a failure, from 0 on.
    assert len(after) <= before + 4
    assert reading("cerply_http_requests_total", route="unmatched") >= 5
    assert reading("cerply_http_requests_total", method="OTHER") >= 5


def test_no_label_names_anybody(api: Api, cast: Cast, client: Client) -> None:
    complete(cast.learner, cast.track)
    api.get(f"/learners/{cast.learner.id}/certificates", by=cast.learner)
    api.get(f"/certificates/{Certificate.objects.get().id}/download", by=cast.learner)
    client.get("/keep/a-secret-of-somebody")
    text = exposition().decode()
    assert not UUID.search(text)
    assert "a-secret-of-somebody" not in text
    assert '"/keep/{secret}"' in text


# -- what happens now and then --


def test_renders_are_counted_and_their_failures_too(cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    before = reading("cerply_certificate_renders_total", outcome="rendered")
    Certificate.objects.update(logo=".")
    with pytest.raises(NotRendered):
        render_owed()
    assert reading("cerply_certificate_renders_total", outcome="failed") == 1
    Certificate.objects.update(logo="")
    pdf_of(certificate.id)
    assert reading("cerply_certificate_renders_total", outcome="rendered") == before + 1


def test_downloads_are_counted_and_their_failures_too(api: Api, cast: Cast, client: Client) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    path = f"/certificates/{certificate.id}/download"
    assert api.get(path, by=cast.learner).status == 200
    assert api.get(path, by=cast.outsider).status == 403
    Certificate.objects.update(pdf="", logo=".")
    headers = {"Authorization": f"Bearer {api.token_of(cast.learner)}"}
    assert client.get(f"/api{path}", headers=headers).status_code == 500
    assert reading("cerply_certificate_downloads_total", outcome="served") == 1
    assert reading("cerply_certificate_downloads_total", outcome="failed") == 1


@pytest.fixture
def port(settings: Settings) -> int:
    """Of the mail server, which is not there yet."""
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    options = {"host": "127.0.0.1", "port": number, "timeout": 20}
    settings.MAILERS = {"default": counted({"BACKEND": SMTP, "OPTIONS": options})}
    return number


def test_mails_are_counted_by_their_outcome(db: None, port: int) -> None:
    with pytest.raises(OSError, match="refused"):
        send_mail("Hello", "", None, ["maya@example.com"])
    controller = Controller(Sink(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        for _ in range(2):
            send_mail("Hello", "", None, ["maya@example.com"])
    finally:
        controller.stop()
    assert reading("cerply_emails_total", outcome="failed") == 1
    assert reading("cerply_emails_total", outcome="sent") == 2


def test_what_is_counted_outlives_a_transaction_that_fails_and_a_database_that_is_away(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = metrics.Tally("of_this_test", "Of this test.", "outcome", ["good", "bad"])
    assert reading("cerply_of_this_test_total") == 0
    tally.count("good", 3)

    def fail(*args: Any) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", fail)
        tallies.flush()
    assert metrics.are_pending()
    tally.count("good")
    assert reading("cerply_of_this_test_total", outcome="good") == 4
    assert reading("cerply_of_this_test_total", outcome="bad") == 0
    assert not metrics.are_pending()
    del metrics.TALLIES["of_this_test"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_what_the_worker_counts_is_told_by_the_web_server() -> None:
    count = "from certificates.rendering import RENDERS\nfrom ops import tallies\nRENDERS.count('rendered', 7)\n"
    for ending in ("tallies.flush()\nos.kill(os.getpid(), signal.SIGKILL)", "tallies.flush()"):
        assert run_python(count + ending).returncode in {0, -signal.SIGKILL}
    assert reading("cerply_certificate_renders_total", outcome="rendered") == 14


# -- the queue, the jobs, what is owed --


def test_the_queue_s_depth_and_age_are_told(db: None) -> None:
    assert (reading("cerply_queue_tasks"), reading("cerply_queue_age_seconds")) == (0, 0)
    with clock.moved_to(clock.now()):
        enqueue("math.sqrt", 4)
    enqueue("math.sqrt", 9)
    assert reading("cerply_queue_tasks", state="waiting") == 2
    with clock.moved_to(clock.now() + timedelta(minutes=5)):
        assert 299 < reading("cerply_queue_age_seconds") < 400


def test_a_worker_that_never_was_is_infinitely_old(db: None) -> None:
    assert reading("cerply_worker_age_seconds") == float("inf")
    WorkerHeartbeat.objects.create(process="a:1", beat_at=Now() - timedelta(seconds=40))
    assert 40 <= reading("cerply_worker_age_seconds") < 60


def make_run(job: str, days_ago: int, outcome: JobOutcome) -> None:
    window = due(job, clock.now()) - timedelta(days=days_ago)
    finished = None if outcome == JobOutcome.RUNNING else window + timedelta(seconds=8)
    started = window + timedelta(seconds=5)
    JobRun.objects.create(
        job=job, window=window, outcome=outcome, lease_until=window, started_at=started, finished_at=finished
    )


def test_jobs_tell_since_when_they_have_not_done_what_they_are_for(db: None) -> None:
    job = "cleanup_idempotency_keys"
    assert reading("cerply_job_last_success_age_seconds", job=job) == float("inf")
    make_run(job, 3, JobOutcome.SUCCEEDED)
    make_run(job, 2, JobOutcome.GAVE_UP)
    make_run(job, 1, JobOutcome.MISSED)
    make_run(job, 0, JobOutcome.RUNNING)
    day = timedelta(days=1).total_seconds()
    moment = clock.now()
    with clock.moved_to(moment):
        since_due = (moment - due(job, moment)).total_seconds()
        assert reading("cerply_job_last_success_age_seconds", job=job) == pytest.approx(since_due + 3 * day - 8)
        assert reading("cerply_job_overdue_seconds", job=job) == pytest.approx(since_due + 2 * day)
    assert reading("cerply_job_last_duration_seconds", job=job) == 3
    assert reading("cerply_job_runs_in_a_day", job=job, outcome="running") == 1


def test_a_job_that_is_to_wait_for_its_next_time_is_not_overdue(db: None) -> None:
    make_run("remind_of_expiry", 1, JobOutcome.SUCCEEDED)
    make_run("remind_of_expiry", 0, JobOutcome.MISSED)
    assert reading("cerply_job_overdue_seconds", job="remind_of_expiry") == 0


def test_a_job_that_did_its_latest_time_is_on_time(db: None) -> None:
    make_run("cleanup_audit_events", 0, JobOutcome.SUCCEEDED)
    assert reading("cerply_job_overdue_seconds", job="cleanup_audit_events") == 0


def test_what_is_owed_to_the_outside_is_told_with_its_age(cast: Cast) -> None:
    assert reading("cerply_outbox_oldest_age_seconds", outbox="owed_password_links") == 0
    moment = clock.now()
    OwedLink.objects.create(email="maya@example.com", requested_at=moment - timedelta(hours=2))
    complete(cast.learner, cast.track)
    assert reading("cerply_outbox_rows", outbox="outgoing_mails", state="dead") == 0
    with clock.moved_to(moment + timedelta(hours=1)):
        assert reading("cerply_outbox_rows", outbox="owed_password_links", state="due") == 1
        assert reading("cerply_outbox_oldest_age_seconds", outbox="owed_password_links") == 3 * 3600
        assert 3590 < reading("cerply_outbox_oldest_age_seconds", outbox="certificates_to_render") < 3602


def test_each_outbox_is_told_of_without_being_named_here(cast: Cast) -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    with clock.moved_to(noon):
        give_answers(cast.learner, cast.track, 21)
    with clock.moved_to(noon + timedelta(minutes=5)):
        assert collecting.collect() == 1
    with clock.moved_to(noon + timedelta(minutes=65)):
        assert reading("cerply_outbox_rows", outbox="outgoing_mails", state="due") == 1
        assert reading("cerply_outbox_oldest_age_seconds", outbox="outgoing_mails") == 3600
    OutgoingMail.objects.update(state=OutboxState.DEAD, finished_at=noon)
    assert reading("cerply_outbox_rows", outbox="outgoing_mails", state="dead") == 1
    assert reading("cerply_outbox_oldest_age_seconds", outbox="outgoing_mails") == 0


def test_the_counters_of_the_platform_are_told(cast: Cast) -> None:
    complete(cast.learner, cast.track)
    assert reading("cerply_kpis", kpi="certificates_issued") == 1


def test_another_app_can_add_what_it_measures(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "GAUGES", dict(metrics.GAUGES))
    metrics.register("audit_verified_age_seconds", "Since the audit was verified.", lambda: [((), 42.0)])
    assert reading("cerply_audit_verified_age_seconds") == 42


def test_one_that_cannot_be_read_keeps_no_other_from_being_told(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(metrics, "GAUGES", dict(metrics.GAUGES))
    metrics.register("bad", "Bad.", lambda: [((), 1 / 0)])
    assert reading("cerply_unreadable", metric="bad") == 1
    assert reading("cerply_unreadable", metric="kpis") == 0
    assert "the metric bad cannot be read" in caplog.text


def test_without_its_database_it_tells_of_requests_all_the_same(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fail(*args: Any) -> None:
        asked.append("cursor")
        raise OperationalError("away")

    client.get("/api/health/live")
    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", fail)
        found = readings()
    assert found["cerply_http_requests_total"]
    assert {value for _, value in found["cerply_unreadable"]} == {1}
    # Whoever has to wait for its answer waits once.
    assert len(asked) == 1


def test_to_read_them_costs_the_database_little(
    db: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    owed = len(list(gauges.outboxes())) + len(gauges.ALSO_OWED)
    with django_assert_max_num_queries(25 + 4 * owed):
        exposition()
