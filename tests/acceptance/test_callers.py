"""Every route, called as each of them; and what all answers have in common."""

from typing import Any

import pytest

from tests.acceptance.client import FIRE, MAYA, OTHER_LEARNER, OTHER_TRACK, Service

pytestmark = pytest.mark.slow

WHO = (None, "learner", "manager", "admin", "other-learner", "other-manager", "other-admin", "admin-token")
UNKNOWN = "00000000-0000-4000-8000-000000000000"
ITEM = "00000000-0000-0000-0000-000000010101"
# Method, path, body, and the status for each of WHO, in that order.
ROUTES: list[tuple[str, str, Any, tuple[int, ...]]] = [
    ("GET", "/auth/me", None, (401, 200, 200, 200, 200, 200, 200, 200)),
    ("GET", "/auth/tokens", None, (401, 200, 200, 200, 200, 200, 200, 200)),
    ("POST", "/auth/tokens", {}, (401, 400, 400, 400, 400, 400, 400, 403)),
    ("DELETE", f"/auth/tokens/{UNKNOWN}", None, (401, 404, 404, 404, 404, 404, 404, 403)),
    ("GET", "/learners", None, (401, 200, 200, 200, 200, 200, 200, 200)),
    ("POST", "/learners", {}, (401, 403, 403, 400, 403, 403, 400, 403)),
    ("GET", f"/learners/{MAYA}", None, (401, 200, 200, 200, 403, 403, 404, 200)),
    ("PATCH", f"/learners/{MAYA}", {}, (401, 403, 403, 200, 403, 403, 404, 403)),
    ("GET", "/teams", None, (401, 200, 200, 200, 200, 200, 200, 200)),
    ("POST", "/teams", {}, (401, 403, 403, 400, 403, 403, 400, 403)),
    ("GET", f"/teams/{UNKNOWN}", None, (401, 403, 403, 404, 403, 403, 404, 404)),
    ("DELETE", f"/teams/{UNKNOWN}", None, (401, 403, 403, 404, 403, 403, 404, 403)),
    ("GET", "/tracks", None, (401, 200, 200, 200, 200, 200, 200, 200)),
    ("GET", f"/tracks/{FIRE}", None, (401, 200, 200, 200, 404, 404, 404, 200)),
    ("POST", "/tracks", {}, (401, 403, 403, 400, 403, 403, 400, 403)),
    ("PATCH", f"/tracks/{FIRE}", {}, (401, 403, 403, 200, 403, 403, 404, 403)),
    ("POST", f"/tracks/{FIRE}/items", {}, (401, 403, 403, 400, 403, 403, 404, 403)),
    ("PATCH", f"/tracks/{FIRE}/items/{ITEM}", {}, (401, 403, 403, 200, 403, 403, 404, 403)),
    ("POST", "/attempts", {}, (401, 400, 403, 400, 400, 403, 400, 403)),
    ("POST", "/attempts", {"learnerId": MAYA}, (401, 400, 403, 400, 403, 403, 400, 403)),
    ("POST", "/shares", {}, (401, 400, 403, 400, 400, 403, 400, 403)),
    ("POST", f"/learners/{MAYA}/completions", {}, (401, 403, 403, 400, 403, 403, 404, 403)),
    ("GET", f"/learners/{MAYA}/level/{FIRE}", None, (401, 200, 200, 200, 403, 403, 404, 200)),
    ("GET", f"/learners/{MAYA}/levels", None, (401, 200, 200, 200, 403, 403, 404, 200)),
    ("GET", f"/learners/{MAYA}/badges", None, (401, 200, 200, 200, 403, 403, 404, 200)),
    ("GET", f"/learners/{MAYA}/badges/consistent", None, (401, 200, 200, 200, 403, 403, 404, 200)),
    ("GET", f"/learners/{MAYA}/certificates", None, (401, 200, 200, 200, 403, 403, 404, 200)),
    ("GET", f"/learners/{OTHER_LEARNER}/certificates", None, (401, 403, 403, 404, 200, 200, 200, 200)),
    ("GET", f"/learners/{UNKNOWN}/levels", None, (401, 403, 403, 404, 403, 403, 404, 200)),
    ("GET", "/certificates", None, (401, 403, 403, 200, 403, 403, 200, 200)),
    ("GET", f"/certificates/{UNKNOWN}/download", None, (401, 403, 403, 404, 403, 403, 404, 404)),
    ("GET", f"/certificates/{UNKNOWN}/verify?signature=x", None, (404, 404, 404, 404, 404, 404, 404, 404)),
    ("POST", f"/certificates/{UNKNOWN}/revoke", {"reason": "x"}, (401, 403, 403, 404, 403, 403, 404, 403)),
    ("GET", "/manager/notifications", None, (401, 403, 200, 200, 403, 200, 200, 200)),
    ("GET", "/manager/notifications/unread/count", None, (401, 403, 200, 200, 403, 200, 200, 200)),
    ("PATCH", f"/manager/notifications/{UNKNOWN}", {"read": True}, (401, 403, 404, 404, 403, 404, 404, 400)),
    ("GET", "/manager/notification-preferences", None, (401, 403, 200, 200, 403, 200, 200, 200)),
    ("PUT", "/manager/notification-preferences", {}, (401, 403, 400, 400, 403, 400, 400, 403)),
    ("GET", "/webhooks", None, (401, 403, 403, 200, 403, 403, 200, 200)),
    ("POST", "/webhooks", {}, (401, 403, 403, 400, 403, 403, 400, 403)),
    ("GET", f"/webhooks/{UNKNOWN}", None, (401, 403, 403, 404, 403, 403, 404, 404)),
    ("PATCH", f"/webhooks/{UNKNOWN}", {}, (401, 403, 403, 404, 403, 403, 404, 403)),
    ("DELETE", f"/webhooks/{UNKNOWN}", None, (401, 403, 403, 404, 403, 403, 404, 403)),
    ("POST", f"/webhooks/{UNKNOWN}/rotate-secret", {}, (401, 403, 403, 404, 403, 403, 404, 403)),
    ("POST", f"/webhooks/{UNKNOWN}/test", {}, (401, 403, 403, 404, 403, 403, 404, 403)),
    ("GET", f"/webhooks/{UNKNOWN}/deliveries", None, (401, 403, 403, 404, 403, 403, 404, 404)),
    ("POST", f"/webhooks/{UNKNOWN}/deliveries/{UNKNOWN}/replay", {}, (401, 403, 403, 404, 403, 403, 404, 403)),
    ("GET", "/health", None, (200,) * 8),
    ("GET", "/health/live", None, (200,) * 8),
    ("GET", "/health/ready", None, (200,) * 8),
    ("GET", "/ops/kpis", None, (200,) * 8),
    ("GET", "/ops/kpis?scope=organization", None, (401, 403, 200, 200, 403, 200, 200, 403)),
    ("GET", "/flags", None, (200,) * 8),
    ("GET", "/version", None, (200,) * 8),
    ("GET", "/schema", None, (200,) * 8),
    ("GET", "/docs", None, (200,) * 8),
    ("GET", "/nonsense", None, (404,) * 8),
    ("DELETE", "/health", None, (405,) * 8),
    ("GET", "/learners/nonsense/levels", None, (400,) * 8),
]


@pytest.mark.parametrize(("method", "path", "body", "expected"), ROUTES, ids=lambda value: str(value)[:60])
def test_who_may_what(service: Service, method: str, path: str, body: Any, expected: tuple[int, ...]) -> None:
    answers = [service.call(method, path, body, by) for by in WHO]
    assert dict(zip(WHO, (answer.status for answer in answers), strict=True)) == dict(zip(WHO, expected, strict=True))
    for answer in answers:
        assert answer.headers["X-Request-ID"]
        assert answer.headers["X-Image-Tag"]
        if answer.status >= 400:
            assert set(answer.body["error"]) >= {"code", "message", "requestId"}
            assert answer.body["error"]["requestId"] == answer.headers["X-Request-ID"]


ROW = {"trackId": FIRE, "itemId": ITEM, "correct": True}
BAD_BODIES: list[tuple[bytes | dict[str, Any], int]] = [
    (b"{", 400),
    (b"", 400),
    (b"null", 400),
    (b"[]", 400),
    (b'{"trackId": NaN}', 400),
    (b'{"a": 1, "a": 2}', 400),
    (b"[" * 200_000, 400),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
    (b'"\xff\xfe"', 400),
    (b'{"trackId": "\\ud800"}', 400),
    (b'{"trackId": "a\\u0000b"}', 400),
    (b'{"attempts": [' + b"1," * 2000 + b"1]}", 400),
    (b"x" * 10_000_000, 413),
    (ROW | {"credit": 1}, 400),
    (ROW | {"occurredAt": "9999-12-31T23:59:59Z"}, 400),
    (ROW | {"responseMs": 10**400}, 400),
    (ROW | {"responseMs": -1}, 400),
    (ROW | {"unheardOf": "<b>"}, 400),
    (ROW | {"trackId": OTHER_TRACK}, 400),
    (ROW | {"trackId": UNKNOWN}, 400),
    (ROW | {"itemId": UNKNOWN}, 400),
    (ROW | {"itemId": "00000000-0000-0000-0000-000000010201"}, 400),
    (ROW | {"learnerId": OTHER_LEARNER}, 403),
    ({"attempts": [ROW, ROW | {"correct": "yes"}]}, 400),
]


@pytest.mark.parametrize(("body", "status"), BAD_BODIES, ids=lambda value: repr(value)[:50])
def test_bad_input_is_refused_and_nothing_is_stored(
    service: Service, body: bytes | dict[str, Any], status: int
) -> None:
    path = f"/learners/{MAYA}/level/{FIRE}"
    before = service.get(path).body
    answer = service.post("/attempts", body, by="learner")
    assert (answer.status, answer.body["error"]["code"]) == (
        status,
        {400: "BAD_REQUEST", 403: "FORBIDDEN", 413: "PAYLOAD_TOO_LARGE"}[status],
    )
    assert service.get(path).body == before


def test_a_body_of_another_type_is_refused(service: Service) -> None:
    answer = service.post("/attempts", b"a=b", by="learner", content_type="application/x-www-form-urlencoded")
    assert answer.status == 415


def test_names_are_kept_as_they_are_written(service: Service) -> None:
    name = "<script>alert('x')</script>\"; DROP TABLE users; --"
    made = service.post("/learners", {"name": name, "email": "markup@nordlys.example", "externalId": "markup"})
    assert made.body["name"] == name


def test_two_credentials_and_odd_ones(service: Service) -> None:
    assert service.get("/auth/me", by="learner", x_admin_token="dev-admin-token-12345").status == 400
    assert service.get("/health", by=None, authorization="Bearer wrong").status == 401
    assert service.get("/auth/me", by=None, authorization="Basic eDp5").status == 401


def test_a_request_id_is_taken_over_or_made(service: Service) -> None:
    assert service.get("/health", x_request_id="my-id_1.2").headers["X-Request-ID"] == "my-id_1.2"
    for bad in ("with space", "x" * 129, "ümlaut".encode("latin-1").decode("latin-1")):
        assert service.get("/health", x_request_id=bad).headers["X-Request-ID"] != bad
