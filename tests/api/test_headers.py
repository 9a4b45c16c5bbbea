"""Every answer tells browsers what they may do with it: of every route, and of every error."""

import re
from collections.abc import Iterator

import pytest
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLResolver, get_resolver
from pytest_django import Settings

from ops.views import FlagsView
from tests.factories import Cast

UNKNOWN = "00000000-0000-4000-8000-000000000000"
VALUES = {"id": UNKNOWN, "int": "1", "segment": "x", "str": "x", "path": "x"}
PARAMETER = re.compile(r"<(?:(\w+):)?\w+>")


@pytest.fixture
def browser(cast: Cast, settings: Settings) -> Client:
    """Over TLS, where that is how people come."""
    settings.SECURE_HSTS_SECONDS = 31536000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    return Client(raise_request_exception=False)


def paths() -> Iterator[str]:
    def walk(resolver: URLResolver, before: str) -> Iterator[str]:
        for each in resolver.url_patterns:
            path = before + str(each.pattern).removesuffix("$").removesuffix(r"\Z")
            if isinstance(each, URLResolver):
                yield from walk(each, path)
            elif "(?P" not in path:
                yield "/" + PARAMETER.sub(lambda found: VALUES[found[1] or "str"], path)

    yield from walk(get_resolver(), "")


def check(path: str, answer: HttpResponseBase) -> None:
    answer.close()
    headers = answer.headers
    said = f"{path}: {dict(headers)}"
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains", said
    assert headers["X-Content-Type-Options"] == "nosniff", said
    assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}, said
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin", said
    assert "camera=()" in headers["Permissions-Policy"], said
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy, said
    if not path.startswith("/admin/"):
        assert "unsafe-eval" not in policy, said
        assert "frame-ancestors 'none'" in policy, said
        assert headers["X-Frame-Options"] == "DENY", said
        script = re.search(r"script-src ([^;]*)", policy)
        assert script is None or "unsafe" not in script[1], said
        if path != "/api/docs":
            assert "unsafe" not in policy, said


def test_of_every_route(browser: Client) -> None:
    every = list(paths())
    for path in every:
        check(path, browser.get(path, secure=True))
    assert len(every) > 150


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/learners/x", 400),
        ("GET", "/api/auth/me", 401),
        ("GET", "/nowhere", 404),
        ("GET", "/api/nowhere", 404),
        ("DELETE", "/api/flags", 405),
        ("GET", "/admin/accounts/user/?q=%00", 400),
        ("GET", "/static/nothing.css", 404),
        ("GET", "/static/cerply/page.css", 200),
        ("GET", "/admin/login/", 200),
        ("GET", "/api/health/live", 200),
        ("POST", "/sign-in", 403),
    ],
)
def test_of_every_kind_of_error(browser: Client, method: str, path: str, status: int) -> None:
    browser.handler.enforce_csrf_checks = True
    answer = browser.generic(method, path, secure=True)
    assert answer.status_code == status
    check(path, answer)


def test_where_the_host_is_a_stranger_s(browser: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["cerply.example"]
    answer = browser.get("/sign-in", secure=True, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    check("/sign-in", answer)


def test_where_there_were_too_many(browser: Client, settings: Settings) -> None:
    settings.RATE_LIMITS = dict.fromkeys(settings.RATE_LIMITS, "1/hour")
    for path in ("/api/flags", "/sign-in"):
        browser.get(path, secure=True)
        answer = browser.get(path, secure=True)
        assert answer.status_code == 429
        check(path, answer)


def test_where_the_service_fails(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(FlagsView, "get", fail)
    answer = browser.get("/api/flags", secure=True)
    assert answer.status_code == 500
    check("/api/flags", answer)
