"""Logs: one JSON object a line, with what is needed to find one's way, and nothing that is secret or personal."""

import io
import json
import logging
import logging.config
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from pytest_django import Settings

from cerply.accounts.models import User
from cerply.logs import logging_config
from cerply.requests import request_id
from certificates.models import Certificate
from ops import watching
from tests.api.client import Api
from tests.factories import Cast, complete, make_user


class Log:
    """What an operator has: lines."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    def grep(self, *patterns: str) -> list[str]:
        """As in ``grep -E one | grep -E two``."""
        return [line for line in self.lines if all(re.search(pattern, line) for pattern in patterns)]

    def parsed(self, *patterns: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.grep(*patterns)]


def logging_to(stream: io.StringIO, *, as_json: bool) -> Iterator[None]:
    """The configuration of production or development, writing there."""
    configuration = logging_config(json=as_json, level="INFO")
    for handler in configuration["handlers"].values():
        handler["stream"] = stream
    loggers = [logging.getLogger(), logging.getLogger("requests")]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    kept = logging.getLogger().handlers[:]
    logging.config.dictConfig(configuration)
    for handler in kept:
        logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        for logger, handlers, level, propagate in before:
            logger.handlers[:], logger.propagate = handlers, propagate
            logger.setLevel(level)


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    yield from _with(log, as_json=True)


@pytest.fixture
def readable() -> Iterator[Log]:
    log = Log()
    yield from _with(log, as_json=False)


def _with(log: Log, *, as_json: bool) -> Iterator[Log]:
    for _ in logging_to(log.stream, as_json=as_json):
        yield log


@pytest.fixture
def visitor(db: None) -> Client:
    """To whom a failure is an answer."""
    return Client(raise_request_exception=False)


def fail(*args: Any, **options: Any) -> None:
    raise RuntimeError("On purpose.")


# -- the line of a request --


def test_a_request_is_one_line_that_says_what_it_took(log: Log, api: Api, cast: Cast) -> None:
    path = f"/learners/{cast.learner.id}/level/{cast.track.id}"
    api.get(path, by=cast.learner, x_request_id="of-this-test")
    [line] = log.parsed('"logger": "requests"')
    assert line["request_id"] == "of-this-test"
    assert (line["method"], line["status"]) == ("GET", 200)
    assert line["route"] == "/api/learners/{learner_id}/level/{track_id}"
    assert line["user"] == str(cast.learner.id)
    assert line["organization"] == str(cast.organization.id)
    assert line["queries"] > 0
    assert 0 < line["database_ms"] <= line["duration_ms"]
    assert line["level"] == "INFO"


def test_of_nobody_there_is_no_name(log: Log, visitor: Client) -> None:
    visitor.get("/api/health/live")
    [line] = log.parsed('"logger": "requests"')
    assert (line["user"], line["organization"], line["queries"]) == (None, None, 0)


def test_staff_in_the_admin_are_named_by_their_id(log: Log, console: Client) -> None:
    console.get("/admin/")
    [line] = log.parsed('"logger": "requests"')
    assert line["user"] == str(User.objects.get(is_staff=True).id)
    assert line["route"] == "/admin/"


def test_in_development_it_can_be_read(readable: Log, visitor: Client) -> None:
    visitor.get("/api/health/live")
    [line] = readable.grep("/api/health/live")
    assert " GET /api/health/live 200 " in line
    assert not line.startswith("{")


@pytest.mark.django_db(transaction=True)
def test_every_line_of_a_request_bears_its_id_route_and_user(log: Log, api: Api, cast: Cast) -> None:
    complete(cast.learner, cast.track)
    certificate = Certificate.objects.get()
    api.get(f"/certificates/{certificate.id}/download", by=cast.learner, x_request_id="of-this-test")
    lines = log.parsed("of-this-test", "audit")
    assert lines
    for line in lines:
        assert line["request_id"] == "of-this-test"
        assert line["route"] == "/api/certificates/{certificate_id}/download"
        assert (line["user"], line["organization"]) == (str(cast.learner.id), str(cast.organization.id))


def test_everything_is_one_json_object_a_line(log: Log, visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.views.features.decisions", fail)
    visitor.get("/api/flags")
    logging.getLogger("anybody").warning("two\nlines of %s", "text", extra={"more": object()})
    assert len(log.parsed("")) == len(log.lines) >= 3


# -- what operators look for --


@pytest.mark.django_db(transaction=True)
def test_the_audit_is_found(log: Log, api: Api, cast: Cast) -> None:
    api.post("/teams", {"name": "Night shift"}, by=cast.admin)
    [line] = log.parsed(r"\[audit\]", "team_created")
    assert json.loads(line["event"].removeprefix("[audit] "))["type"] == "team_created"


def test_slow_queries_are_found_with_their_route_and_without_parameters(
    log: Log, api: Api, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SLOW_SECONDS", 0.0)
    api.get(f"/learners/{cast.learner.id}/badges", by=cast.learner)
    lines = log.parsed("slow query")
    assert lines
    for line in lines:
        assert line["level"] == "WARNING"
    [line] = log.parsed("slow query", "learner_badges")[:1]
    assert line["route"] == "/api/learners/{learner_id}/badges"
    assert "%s" in line["event"]
    assert str(cast.learner.id) not in line["event"]


@pytest.mark.django_db
def test_a_query_of_over_half_a_second_is_slow_and_a_quicker_one_is_not(log: Log) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [0.01])
        assert not log.grep("slow query")
        cursor.execute("SELECT pg_sleep(%s)", [0.51])
    [line] = log.parsed("slow query")
    assert "SELECT pg_sleep(%s)" in line["event"]
    assert "0.51" not in line["event"]


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        ("gamification.representation.level", "/api/learners/{learner}/levels"),
        ("gamification.representation.earned_badge", "/api/learners/{learner}/badges"),
        ("certificates.representation.certificate", "/api/learners/{learner}/certificates"),
        ("certificates.rendering.pdf_of", "/api/certificates/{certificate}/download"),
    ],
)
def test_errors_of_a_feature_are_found(
    log: Log, api: Api, visitor: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch, broken: str, path: str
) -> None:
    complete(cast.learner, cast.track)
    monkeypatch.setattr(broken, fail)
    ids = {"learner": cast.learner.id, "certificate": Certificate.objects.get().id}
    headers = {"Authorization": f"Bearer {api.token_of(cast.learner)}"}
    assert visitor.get(path.format(**ids), headers=headers).status_code == 500
    [line] = log.parsed("gamification|certificates|badges", "ERROR")
    assert line["level"] == "ERROR"
    assert "On purpose." in line["exception"]


# -- what must not be in it --


def test_a_request_that_fails_is_told_without_its_path(
    log: Log, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("certificates.keepsakes.find", fail)
    assert visitor.get("/keep/secret-of-somebody?signature=secret-too").status_code == 500
    text = "\n".join(log.lines)
    assert '"event": "Internal Server Error: /keep/{secret}"' in text
    assert "secret-of-somebody" not in text
    assert "secret-too" not in text


def test_an_error_of_the_database_is_told_without_the_row(log: Log, cast: Cast) -> None:
    email = "maya.lindqvist@example.com"
    make_user(cast.organization, email=email)
    try:
        with transaction.atomic():
            make_user(cast.organization, email=email)
    except IntegrityError as exc:
        logging.getLogger("certificates").exception("it failed: %s", exc)
    [line] = log.parsed("it failed")
    assert "duplicate key value violates unique constraint" in line["event"]
    assert "IntegrityError" in line["exception"]
    assert "DETAIL left out" in line["exception"]
    assert email not in json.dumps(line)


def test_addresses_are_masked(log: Log) -> None:
    refused = {"maya.lindqvist@example.com": (550, b"<maya.lindqvist@example.com> is unknown")}
    logging.getLogger("mail").warning("not mailed: %s", refused)
    [line] = log.parsed("not mailed")
    assert line["event"] == "not mailed: {'(address)': (550, b'<(address)> is unknown')}"


def test_a_password_is_not_in_it(log: Log, visitor: Client) -> None:
    body = {"email": "maya@example.com", "password": "secret-of-somebody"}
    visitor.post("/api/auth/login", body, content_type="application/json", headers={"Authorization": "Bearer secret-2"})
    text = "\n".join(log.lines)
    assert "secret" not in text
    assert "maya@example.com" not in text


def test_what_is_nested_keeps_the_route(log: Log, settings: Settings) -> None:
    with request_id("job-1", "job:mail"), request_id("of-who-asked"):
        logging.getLogger("mail").warning("inside")
    [line] = log.parsed("inside")
    assert (line["request_id"], line["route"]) == ("of-who-asked", "job:mail")
