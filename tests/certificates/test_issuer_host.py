"""The host under which issuers are known stays what it was: verifiers look for their keys there, for ever."""

import sys
from typing import Any
from uuid import uuid4

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from certificates.models import Issuer
from ops import health
from tests.factories import Cast, complete, make_cast
from tests.processes import run, run_python

WEB = "import cerply.wsgi; print('started')"
PRODUCTION = {
    "CERPLY_ENV": "production",
    "ADMIN_TOKEN": "",
    "PUBLIC_URL": "https://cerply.example",
    "SECRET_KEY": "a-secret-that-is-long-and-different-4711",
    "KEY_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "EMAIL_URL": "smtp+tls://user:password@mail.invalid:587",
}
SAYS = "Cerply does not start: ISSUER_HOST is other.example, but certificates were issued under credentials.example"


def one_line(text: str) -> str:
    [line] = text.strip().splitlines()
    return str(line)


@pytest.fixture
def issued() -> None:
    complete((cast := make_cast()).learner, cast.track)
    Issuer.objects.update(host="credentials.example")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("environment", [{}, PRODUCTION], ids=["test", "production"])
def test_another_host_stops_the_start(issued: None, environment: dict[str, str]) -> None:
    worker = [sys.executable, "manage.py", "qcluster"]
    for done in (
        run_python(WEB, ISSUER_HOST="other.example", **environment),
        run(worker, ISSUER_HOST="other.example", **environment),
    ):
        assert done.returncode == 1
        assert one_line(done.stderr).startswith(SAYS)
        assert "started" not in done.stdout
    same = run_python(WEB, ISSUER_HOST="Credentials.example", **environment)
    assert (same.returncode, same.stdout) == (0, "started\n")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_web_server_that_starts_its_workers_again_gives_up(issued: None) -> None:
    command = [sys.executable, "-m", "cerply.management.web", "cerply.wsgi:application", "--interface", "wsgi"]
    command += ["--no-ws", "--host", "127.0.0.1", "--port", "0", "--respawn-failed-workers"]
    done = run(command, ISSUER_HOST="other.example")
    assert done.returncode != 0
    assert SAYS in done.stderr


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_development_moves_from_port_to_port(issued: None) -> None:
    done = run_python(WEB, ISSUER_HOST="", PUBLIC_URL="http://127.0.0.1:9999")
    assert (done.returncode, done.stdout) == (0, "started\n")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_does_not_keep_it_from_starting() -> None:
    done = run_python(WEB, DATABASE_URL=f"postgres://nobody@127.0.0.1:1/{uuid4()}")
    assert (done.returncode, done.stdout) == (0, "started\n")


def test_releases_are_told_before_they_start(settings: Any, cast: Cast) -> None:
    complete(cast.learner, cast.track)
    call_command("check", "--database", "default")
    settings.ISSUER_HOST, settings.ISSUER_HOST_IS_FINAL = "other.example", True
    assert "certificates.E001" in {message.id for message in run_checks(databases=["default"])}
    assert "certificates.E001" not in {message.id for message in run_checks()}
    with pytest.raises(SystemCheckError, match=r"ISSUER_HOST is other\.example"):
        call_command("check", "--database", "default")
    assert list(health.problems()) == ["issuer host"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ISSUER_HOST": "credentials.example:8443"}, "ISSUER_HOST must have no port"),
        ({"PUBLIC_URL": "https://cerply.example:8443"}, "ISSUER_HOST must have no port"),
        ({"ISSUER_HOST": "https://credentials.example"}, "ISSUER_HOST must be a host name"),
        ({"PUBLIC_URL": "http://cerply.example"}, "PUBLIC_URL must begin with https://"),
    ],
)
def test_in_production_it_is_a_host_with_tls(changes: dict[str, str], says: str) -> None:
    done = run_python("", **{**PRODUCTION, "DATABASE_URL": "postgres:///none", **changes})
    assert done.returncode == 1
    assert one_line(done.stderr).startswith(f"Cerply does not start: {says}")
