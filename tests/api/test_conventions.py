"""What all routes have in common."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from cerply.throttling import _limiter
from certificates.models import Certificate
from certificates.uploading import VerifyFileView
from tests.api.client import Api, document
from tests.factories import Cast, complete, make_user

# The one route that takes files.
FILES = "/api/certificates/verify"
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
            expected = {"application/json"} if path != FILES else {"application/json", *VerifyFileView.content_types}
            assert set(content) == expected, f"{method} {path}"


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


@pytest.mark.parametrize("host", ["10.1.2.3:8080", "127.0.0.1", "nonsense", "a_b"])
def test_health_is_asked_by_address(db: None, settings: Settings, host: str) -> None:
    settings.ALLOWED_HOSTS = ["cerply.example"]
    settings.PUBLIC_HOST = "cerply.example"
    for path in UNLIMITED:
        assert Client().get(path, headers={"Host": host}).status_code == 200
    assert Client().get("/api/version", headers={"Host": host}).status_code == 400


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


def test_csrf_comes_after_the_size_and_type_of_the_body(cast: Cast) -> None:
    """Who are you, 413, 415, may you: a session without its token may not."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(cast.admin)

    def statuses(body: bytes, content_type: str) -> int:
        return browser.post("/api/teams", body, content_type=content_type).status_code

    assert statuses(b"{}", "application/json") == 403
    assert statuses(b"x", "text/plain") == 415
    assert statuses(b" " * (5 * 1024 * 1024 + 1), "application/json") == 413
    browser.get("/api/auth/me")
    token = browser.cookies["csrftoken"].value
    answer = browser.post(
        "/api/teams", b'{"name": "A team"}', content_type="application/json", headers={"X-CSRFToken": token}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 204), (b"{}", 204), (b'{"x": 1}', 400), (b"{", 400), (b"[]", 400), (b"null", 400)]
)
def test_where_no_body_is_expected_unknown_fields_are_named(api: Api, cast: Cast, body: bytes, status: int) -> None:
    for path in (f"/teams/{cast.team.id}/members/{cast.learner.id}", f"/teams/{cast.team.id}"):
        answer = api.call("DELETE", path, body, by=cast.admin)
        assert answer.status == status
        if body == b'{"x": 1}':
            assert answer.details == {"x": ["There is no such field."]}


@pytest.mark.parametrize(
    ("content_type", "encoding", "status"),
    [
        ("application/json", "", 201),
        ("application/json; charset=UTF-8", "identity", 201),
        ('application/json;profile="x"; charset="utf-8"', "", 201),
        ("APPLICATION/JSON", "", 201),
        ("application/json; charset=latin-1", "", 415),
        ("application/jsonx", "", 415),
        ("text/json", "", 415),
        ("", "", 415),
        ("application/json", "br", 415),
        ("application/json", "gzip", 415),
    ],
)
def test_what_a_body_may_be(api: Api, cast: Cast, content_type: str, encoding: str, status: int) -> None:
    headers = {"content_encoding": encoding} if encoding else {}
    assert api.post("/teams", {"name": "A"}, by=cast.admin, content_type=content_type, **headers).status == status


@pytest.mark.parametrize(
    "key",
    [
        "\u200b",
        "abc\u202edef",
        "a\u00adb",
        "\ufeff",
        "\ue000",
        "\uffff",
        "a\u00a0b",
        "a\tb",
        "a\u3164",
        "a\u034fb",
        "\u2800",
        "a\ufe0f",
    ],
)
def test_an_external_id_has_nothing_that_cannot_be_seen(api: Api, cast: Cast, key: str) -> None:
    for path, body in (("/tracks", {"title": "t"}), ("/learners", {"name": "n", "email": "n@example.com"})):
        answer = api.post(path, body | {"externalId": key}, by=cast.admin)
        assert (answer.status, list(answer.details)) == (400, ["externalId"])


@pytest.mark.parametrize("key", [[], {"a": 1}, 1, True, 1.5])
def test_an_external_id_is_text(api: Api, cast: Cast, key: Any) -> None:
    row = {"externalId": key, "name": "n", "email": "n@example.com"}
    assert list(api.post("/learners", row, by=cast.admin).details) == ["externalId"]
    answer = api.post("/learners", {"learners": [row]}, by=cast.admin)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


def test_what_is_known_by_its_external_id_is_updated_with_what_is_sent(api: Api, cast: Cast) -> None:
    assert api.post("/tracks", {"externalId": "t"}, by=cast.admin).details == {
        "title": ["This field is required for a new one."]
    }
    track = api.post("/tracks", {"externalId": "t", "title": "Tides"}, by=cast.admin).body
    again = api.post("/tracks", {"externalId": "t", "certifiesFrom": "any"}, by=cast.admin)
    assert (again.status, again.body["title"], again.body["certifiesFrom"]) == (200, "Tides", "any")
    items = f"/tracks/{track['id']}/items"
    assert api.post(items, {"items": [{"externalId": "i"}]}, by=cast.admin).status == 400
    api.post(
        items, {"items": [{"externalId": "i", "title": "Ebb"}, {"externalId": None, "title": "Flow"}]}, by=cast.admin
    )
    changed = api.post(items, {"items": [{"externalId": "i", "position": 7}]}, by=cast.admin)
    assert (changed.status, changed.body["items"][0]["title"], changed.body["items"][0]["position"]) == (200, "Ebb", 7)


def test_what_was_read_of_somebody_can_be_sent_for_another(api: Api, cast: Cast) -> None:
    body = {"externalId": None, "name": "Somebody", "email": "somebody@example.com"}
    assert api.post("/learners", body, by=cast.admin).status == 201
    two = [body | {"email": f"{number}@example.com"} for number in range(2)]
    assert api.post("/learners", {"learners": two}, by=cast.admin).body["created"] == 2
    for nothing in (b"", b"[]", b"null", b"1"):
        answer = api.post("/learners", nothing, by=cast.admin)
        assert (answer.status, answer.body["error"]["message"]) == (400, "Send a JSON object.")
