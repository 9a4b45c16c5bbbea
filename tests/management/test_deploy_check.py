"""`manage.py deploy_check` against a server in production: all is well, and each check made to fail."""

import json
import socket
import sys
from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import Settings

from cerply import clock
from cerply.env import DEMO_TOKENS, PUBLISHED_ADMIN_TOKEN
from cerply.management.deploy_checks import CHECKS, OLDEST_SIGN_OF_LIFE, Finding, Outcome, findings
from cerply.management.installation import Installation
from certificates.issuers import issuer_of
from certificates.keys import signer_of
from ops import health, heartbeats
from ops.models import JobOutcome, JobRun, WorkerHeartbeat
from ops.timetable import due
from tests.factories import ACTOR, make_organization, make_staff, make_token
from tests.management.spoiling import Handed, proxy
from tests.ops.serving import METRICS_TOKEN, Server, free_port, server
from tests.ops.test_environment import GOOD
from tests.processes import run

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ADMIN_TOKEN = "an-admin-token-that-nobody-has-published-7261"
PRODUCTION = {name: text for name, text in GOOD.items() if name != "DATABASE_URL"} | {
    "ADMIN_TOKEN": ADMIN_TOKEN,
    "METRICS_TOKEN": METRICS_TOKEN,
    "TRUST_FORWARDED_PROTO": "true",
}
WELL = dict.fromkeys(CHECKS, Outcome.OK)


@pytest.fixture(scope="module")
def serving(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("production"), **PRODUCTION) as running:
        yield running


@pytest.fixture(autouse=True)
def _in_production(settings: Settings) -> None:
    """The settings of this process, as those of the server."""
    settings.CERPLY_ENV, settings.RELAXED, settings.HTTPS = "production", False, True
    settings.PUBLIC_URL, settings.PUBLIC_HOST = GOOD["PUBLIC_URL"], "cerply.example"
    settings.ISSUER_HOST, settings.ISSUER_URL = "cerply.example", GOOD["PUBLIC_URL"]
    settings.ISSUER_HOST_IS_FINAL = True
    settings.SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
    settings.KEY_ENCRYPTION_KEYS = [b64decode(GOOD["KEY_ENCRYPTION_KEYS"])]
    settings.ADMIN_TOKEN_AS_GIVEN, settings.METRICS_TOKEN = ADMIN_TOKEN, METRICS_TOKEN


@pytest.fixture(autouse=True)
def _well(_in_production: None) -> None:
    """A worker that lives, jobs in time, an organization that has a key, and a token by which something is let in."""
    heartbeats.beat()
    for job in django_settings.JOBS:
        window = due(job, clock.now())
        times = {"started_at": window, "finished_at": window, "lease_until": window}
        JobRun.objects.create(job=job, window=window, outcome=JobOutcome.SUCCEEDED, attempts=1, **times)
    organization = make_organization()
    issuer_of(organization)
    with transaction.atomic():
        signer_of(organization.id, actor=ACTOR)


def found(url: str, timeout: float = 10) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings(Installation(url, timeout))}


def only(check: str, found: dict[str, Finding]) -> str:
    """What is said of the one check that fails."""
    assert {name: each.outcome for name, each in found.items()} == WELL | {check: Outcome.FAILS}, found
    return found[check].said


def url_of(serving: Server) -> str:
    return f"http://127.0.0.1:{serving.port}"


def command(*arguments: str, **changes: str) -> Any:
    return run([sys.executable, "manage.py", "deploy_check", *arguments], **PRODUCTION | changes)


def test_all_is_well_says_the_command(serving: Server) -> None:
    done = command(url_of(serving))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line[11:24].strip() for line in lines] == list(CHECKS)
    assert {line[:9].strip() for line in lines} == {"ok"}
    done = command(url_of(serving), "--json", IMAGE_REVISION="another")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["ok"]) == (1, False)
    assert [each["check"] for each in answer["checks"] if each["outcome"] != "ok"] == ["version"]
    assert "It is not well: version." in done.stderr


def test_it_says_what_address_it_wants() -> None:
    for wrong in ("cerply.example", "https://cerply.example/api", "ftp://cerply.example", "https://me@cerply.example"):
        with pytest.raises(CommandError, match=r"is no address like https://cerply\.example"):
            call_command("deploy_check", wrong)
    with pytest.raises(CommandError, match="more than 0 seconds"):
        call_command("deploy_check", timeout=0)


def test_where_nobody_answers_it_says_so_once() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    answers = found(url)
    assert answers["live"].outcome == Outcome.FAILS
    assert answers["live"].said.startswith(f"No answer from {url}: ")
    assert "refused" in answers["live"].said
    assert {each.outcome for name, each in answers.items() if name != "live"} == {Outcome.NOT_ASKED}


def test_it_waits_no_longer_than_it_is_told_for_who_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        answers = found(f"http://127.0.0.1:{mute.getsockname()[1]}", timeout=0.2)
    assert "timed out" in answers["live"].said
    assert answers["ready"].outcome == Outcome.NOT_ASKED


def test_a_redirect_is_not_followed_but_told(serving: Server) -> None:
    def plain(handed: Handed) -> None:
        del handed.headers["X-Forwarded-Proto"]

    with proxy(serving.port, there=plain) as url:
        answers = found(url)
    assert answers["live"].outcome == Outcome.OK
    assert "leads to https://cerply.example/api/version" in answers["version"].said


def test_another_release_is_seen(serving: Server, settings: Settings) -> None:
    settings.IMAGE_REVISION = "abc123"
    assert "(unknown) runs there, and this is 0.1.0 (abc123)" in only("version", found(url_of(serving)))


def test_a_migration_that_is_not_applied_is_seen(serving: Server) -> None:
    recorder = MigrationRecorder(connection)
    newest = recorder.migration_qs.filter(app="ops").latest("applied").name
    recorder.record_unapplied("ops", newest)
    health._migrations_are_applied.cache_clear()
    try:
        answers = found(url_of(serving))
    finally:
        recorder.record_applied("ops", newest)
    assert "manage.py migrate" in answers["migrations"].said
    assert answers["migrations"].outcome == Outcome.FAILS


def test_a_worker_that_is_away_is_seen(serving: Server) -> None:
    WorkerHeartbeat.objects.update(beat_at=clock.now() - timedelta(seconds=OLDEST_SIGN_OF_LIFE + 30))
    assert "sign of life for 9" in only("worker", found(url_of(serving)))
    WorkerHeartbeat.objects.all().delete()
    assert "Start `manage.py qcluster`" in only("worker", found(url_of(serving)))


def test_jobs_that_are_overdue_are_named(serving: Server) -> None:
    JobRun.objects.filter(job="verify_audit").update(
        window=clock.now() - timedelta(hours=2), finished_at=clock.now() - timedelta(hours=2)
    )
    JobRun.objects.filter(job="cleanup_audit_events").update(outcome=JobOutcome.GAVE_UP)
    JobRun.objects.filter(job="cleanup_audit_events").update(window=clock.now() - timedelta(days=15))
    said = only("jobs", found(url_of(serving)))
    assert "verify_audit last succeeded 2:00:0" in said
    assert "cleanup_audit_events never succeeded" in said
    assert "fold_kpis" not in said


def test_a_job_without_times_is_named(serving: Server, settings: Settings) -> None:
    settings.JOBS = settings.JOBS | {"fold_kpis": settings.JOBS["fold_kpis"] | {"cron": "at times"}}
    assert "no times can be read for fold_kpis" in only("jobs", found(url_of(serving)))


def test_keys_that_do_not_open_are_seen(serving: Server, settings: Settings) -> None:
    settings.KEY_ENCRYPTION_KEYS = [b"another key of thirty-two bytes."]
    assert "KEY_ENCRYPTION_KEYS has no key that opens signing key" in only("keys", found(url_of(serving)))


def test_an_issuer_of_another_host_is_seen(serving: Server, settings: Settings) -> None:
    settings.ISSUER_HOST = "other.example"
    assert "Set ISSUER_HOST=" in only("keys", found(url_of(serving)))


def test_counters_for_staff_alone_are_asked_as_a_stranger(serving: Server, settings: Settings) -> None:
    settings.KPIS_REQUIRE_AUTH = True
    assert "Expected 401, got 200" in only("KPIs", found(url_of(serving)))


@pytest.mark.parametrize(
    ("path", "status", "body", "check", "said"),
    [
        ("/api/health/live", 502, b"Bad gateway", "live", "Expected 200, got 502: Bad gateway"),
        ("/api/version", 200, b"[]", "version", "Expected an object"),
        ("/api/certificates/not-an-id/verify", 500, b"", "errors", "Expected 400, got 500"),
        ("/api/certificates/not-an-id/verify", 400, b"<h1>Bad</h1>", "errors", "without our envelope"),
        ("/api/no-such-route", 404, b'{"error": {"code": "NOT_FOUND", "message": "?"}}', "errors", "our envelope"),
        ("/api/ops/kpis", 200, b'{"epic7": {"badges_awarded": 1}}', "KPIs", "There is no levels_changed"),
        ("/", 503, b"", "headers", "Expected 200, got 503"),
    ],
)
def test_what_a_proxy_says_in_its_place_is_seen(
    serving: Server, path: str, status: int, body: bytes, check: str, said: str
) -> None:
    def spoil(handed: Handed) -> None:
        if handed.path == path:
            handed.status, handed.body = status, body

    with proxy(serving.port, back=spoil) as url:
        assert said in only(check, found(url))


def test_not_being_ready_is_seen_with_what_is_missing(serving: Server) -> None:
    def spoil(handed: Handed) -> None:
        if handed.path == "/api/health/ready":
            handed.status, handed.body = 503, b'{"error": {"details": {"storage": ["It does not answer."]}}}'

    with proxy(serving.port, back=spoil) as url:
        answers = found(url)
    assert "It does not answer." in answers["ready"].said
    assert [name for name, each in answers.items() if each.outcome == Outcome.FAILS] == ["ready", "worker"]


def test_a_server_on_another_database_is_seen_by_its_keys(serving: Server) -> None:
    def spoil(handed: Handed) -> None:
        if handed.path.endswith("/did.json"):
            handed.body = handed.body.replace(b'"Multikey"', b'"Otherkey"')

    with proxy(serving.port, back=spoil) as url:
        assert "is it the same one?" in only("keys", found(url))


@pytest.mark.parametrize(
    ("header", "value", "check", "said"),
    [
        ("X-Admin-Token", PUBLISHED_ADMIN_TOKEN, "admin token", "The published admin token is taken"),
        ("X-Admin-Token", ADMIN_TOKEN, "admin token", "ADMIN_TOKEN is taken"),
        ("Authorization", f"Bearer {sorted(DEMO_TOKENS)[-1]}", "demo tokens", "which the documentation shows"),
    ],
)
def test_a_credential_that_should_be_refused_and_is_taken_is_seen(
    serving: Server, header: str, value: str, check: str, said: str
) -> None:
    let_in = make_token(make_staff())

    def exchange(handed: Handed) -> None:
        if {name.lower(): text for name, text in handed.headers.items()}.get(header.lower()) == value:
            handed.headers = {"Host": handed.headers["Host"], "X-Forwarded-Proto": "https"}
            handed.headers["Authorization"] = f"Bearer {let_in}"

    with proxy(serving.port, there=exchange) as url:
        assert said in only(check, found(url))


@pytest.mark.parametrize(
    "header",
    [
        "Content-Security-Policy",
        "Referrer-Policy",
        "Strict-Transport-Security",
        "X-Content-Type-Options",
        "X-Frame-Options",
    ],
)
def test_a_header_that_gets_lost_is_named(serving: Server, header: str) -> None:
    def spoil(handed: Handed) -> None:
        handed.headers = {name: text for name, text in handed.headers.items() if name.lower() != header.lower()}

    with proxy(serving.port, back=spoil) as url:
        assert f"weaker than they leave us: {header}." in only("headers", found(url))


def test_metrics_that_anybody_may_read_are_seen(serving: Server) -> None:
    def let_in(handed: Handed) -> None:
        if handed.path == "/metrics":
            handed.headers["Authorization"] = f"Bearer {METRICS_TOKEN}"

    with proxy(serving.port, there=let_in) as url:
        assert "Expected 401, got 200" in only("metrics", found(url))


def test_another_token_for_the_metrics_is_seen(serving: Server, settings: Settings) -> None:
    settings.METRICS_TOKEN = "another-token-for-the-metrics-92734650"
    assert "Expected 200, got 401" in only("metrics", found(url_of(serving)))


def test_what_is_no_question_is_not_asked(serving: Server, settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    answers = found(url_of(serving))
    assert answers["metrics"].outcome == Outcome.NOT_ASKED
    assert "METRICS_TOKEN is not set" in answers["metrics"].said
    settings.RELAXED = True
    answers = found(url_of(serving))
    assert {answers[name].outcome for name in ("admin token", "demo tokens", "metrics")} == {Outcome.NOT_ASKED}


def test_under_its_public_address_it_is_asked_without_a_proxys_headers(serving: Server, settings: Settings) -> None:
    asked: list[dict[str, str]] = []
    with proxy(serving.port, there=lambda handed: asked.append(dict(handed.headers))) as url:
        settings.PUBLIC_URL = url
        found(url)
        settings.PUBLIC_URL = GOOD["PUBLIC_URL"]
        found(url)
    own = [headers for headers in asked if headers["Host"] == urlsplit(url).netloc]
    assert own
    assert all("X-Forwarded-Proto" not in headers for headers in own)
    assert {headers["Host"] for headers in asked} == {urlsplit(url).netloc, "cerply.example"}
