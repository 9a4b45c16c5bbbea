"""Bodies: whom they are read for, and in which order they are refused."""

from typing import Any

import pytest

from cerply import parsers
from cerply.parsers import BODY_LIMIT
from tests.api.client import Api
from tests.factories import Cast

GOOD, MALFORMED, LARGE = b'{"name": "Night"}', b'{"name": ', b"[" + b" " * BODY_LIMIT + b"]"


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}], ids=str)
def test_nothing_is_parsed_for_nobody(
    api: Api, cast: Cast, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    parsed: list[bytes] = []
    parse = parsers.parse_json

    def noted(raw: bytes) -> Any:
        parsed.append(raw)
        return parse(raw)

    monkeypatch.setattr(parsers, "parse_json", noted)
    for path in ("/teams", "/attempts", "/learners"):
        assert api.call("POST", path, GOOD, **headers).status == 401
    assert parsed == []
    assert api.call("POST", "/teams", GOOD, cast.admin, x_idempotency_key="1").status == 201
    assert parsed == [GOOD]


@pytest.mark.parametrize(
    ("body", "content_type", "who", "status"),
    [
        (LARGE, "application/json", None, 401),
        (LARGE, "application/json", "learner", 413),
        (LARGE, "text/plain", "learner", 413),
        (GOOD, "text/plain", None, 401),
        (GOOD, "text/plain", "learner", 415),
        (MALFORMED, "application/json", None, 401),
        (MALFORMED, "application/json", "learner", 403),
        (MALFORMED, "application/json", "admin", 400),
    ],
)
def test_the_order_of_refusals(
    api: Api, cast: Cast, body: bytes, content_type: str, who: str | None, status: int
) -> None:
    by = getattr(cast, who) if who else None
    assert api.call("POST", "/teams", body, by, content_type=content_type).status == status


def test_malformed_is_said_after_what_is_not_there(api: Api, cast: Cast) -> None:
    assert api.call("PATCH", f"/teams/{cast.outsider.id}", MALFORMED, cast.admin).status == 404
    answer = api.call("PATCH", f"/teams/{cast.team.id}", MALFORMED, cast.admin, x_idempotency_key="1")
    assert answer.status == 400
    assert "line 1, column" in answer.body["error"]["message"]
