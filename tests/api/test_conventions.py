"""What all routes have in common."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from cerply.throttling import _limiter
from certificates.models import Certificate
from tests.api.client import Api, document
from tests.factories import Cast, complete, make_user

ADMIN_TOKEN = "dev-admin-token-12345"


@pytest.mark.parametrize("path", ["/auth/login", "/auth/logout", "/auth/password-link", "/auth/tokens", "/teams"])
def test_the_admin_token_writes_nothing(api: Api, cast: Cast, path: str) -> None:
    person = make_user(cast.organization, password="correct horse battery")
    body = {"email": person.email, "password": "correct horse battery"}
    assert api.post(path, body, x_admin_token=ADMIN_TOKEN).status == 403


def test_every_body_is_json_and_nothing_else() -> None:
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {"application/json": {}})
            assert set(content) == {"application/json"}, f"{method} {path}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=201", 200),
        (f"limit={10**18}", 200),
        (f"limit={10**100}", 200),
        ("limit=0", None),
        ("limit=-1", None),
        ("limit=1.0", None),
        ("limit=١", None),
        ("limit=", None),
        (f"offset={10**18}", None),
        ("offset=1e3", None),
    ],
)
def test_pages(api: Api, cast: Cast, query: str, expected: int | None) -> None:
    answer = api.get(f"/learners?{query}", by=cast.admin)
    assert (answer.status, (answer.body.get("limit"))) == ((200, expected) if expected else (400, None))


def test_a_304_does_not_tell_a_length(api: Api, cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    path = f"/certificates/{certificate.id}/download"
    etag = api.get(path, by=cast.learner).headers["ETag"]
    answer = api.get(path, by=cast.learner, if_none_match=etag)
    assert answer.status == 304
    assert "Content-Length" not in answer.headers


def test_load_balancers_are_never_told_to_wait(db: None, settings: Settings) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"anonymous": "1/hour"}
    _limiter.cache_clear()
    try:
        statuses = {path: [Client().get(path).status_code for _ in range(3)] for path in LIMITED | UNLIMITED}
    finally:
        _limiter.cache_clear()
    assert {path for path, codes in statuses.items() if 429 in codes} == LIMITED


LIMITED = {"/api/flags", "/api/version"}
UNLIMITED = {"/api/health", "/api/health/live", "/api/health/ready"}


def test_what_has_become_of_it_since_is_not_told(api: Api, cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    before = api.get("/certificates", by=cast.admin).body["certificates"][0]["issuedAt"]
    api.post(f"/certificates/{certificate.id}/revoke", {"reason": "x"}, by=cast.admin)
    [row] = api.get(f"/certificates?asOf={before}", by=cast.admin).body["certificates"]
    assert (row["status"], row["revokedAt"]) == ("valid", None)
    assert Certificate.objects.get().revoked_at is not None


def test_preferences_that_were_read_can_be_sent_back(api: Api, cast: Cast) -> None:
    path = "/manager/notification-preferences"
    for frequency in ("immediate", "off", "daily", "weekly"):
        read: dict[str, Any] = api.get(path, by=cast.manager).body | {"frequency": frequency}
        written = api.put(path, json.loads(json.dumps(read)), by=cast.manager)
        assert (written.status, written.body["frequency"]) == (200, frequency)
    assert api.put(path, read | {"nextDigestAt": "soon"}, by=cast.manager).status == 400


@pytest.mark.parametrize("name", ["localtime", "Factory", "Europe/Nowhere", "CEST"])
def test_a_time_zone_is_the_same_everywhere(api: Api, cast: Cast, name: str) -> None:
    answer = api.patch(f"/learners/{cast.learner.id}", {"timezone": name}, by=cast.admin)
    assert (answer.status, list(answer.details)) == (400, ["timezone"])
