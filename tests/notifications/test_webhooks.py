"""The API of webhooks: who may what, and what becomes of it."""

import base64
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from audit.models import AuditEvent
from cerply import clock
from cerply.clock import rfc3339
from cerply.encryption import KeyUnavailable
from cerply.permissions import Role
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.webhooks import endpoints
from notifications.webhooks.signing import secrets_of
from ops.models import IdempotencyKey
from tests.api.client import Answer, Api
from tests.factories import ACTOR, Cast, give_answers, make_cast, make_user
from tests.notifications.webhooks import make_endpoint
from tests.threads import at_once

ADMIN_TOKEN = "dev-admin-token-12345"
URL = "https://hooks.example.com/cerply?key=in-the-address"
OTHER_KEY = bytes(range(32))


@pytest.fixture
def endpoint(cast: Cast) -> WebhookEndpoint:
    return make_endpoint(cast.organization, URL)[0]


@pytest.fixture
def delivery(cast: Cast, endpoint: WebhookEndpoint) -> WebhookDelivery:
    give_answers(cast.learner, cast.track, 1)
    return WebhookDelivery.objects.get()


def make(api: Api, cast: Cast, **body: Any) -> Answer:
    return api.post("/webhooks", {"url": URL, **body}, by=cast.admin)


# -- the life of one --


def test_one_is_made_and_its_secret_shown_once(api: Api, cast: Cast) -> None:
    made = make(api, cast, eventTypes=["badge.awarded"])
    assert made.status == 201
    secret = made.body.pop("secret")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert made.body == {
        "id": made.body["id"],
        "url": URL,
        "eventTypes": ["badge.awarded"],
        "state": "active",
        "disabledAt": None,
        "disabledReason": None,
        "failingSince": None,
        "formerSecretUntil": None,
        "createdAt": made.body["createdAt"],
    }
    path = f"/webhooks/{made.body['id']}"
    assert api.get(path, by=cast.admin).body == made.body
    assert api.get("/webhooks", by=cast.admin).body["webhooks"] == [made.body]
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(webhook_endpoints)::text FROM webhook_endpoints")
        [[dumped]] = cursor.fetchall()
    for text in (secret, secret.removeprefix("whsec_"), base64.b64decode(secret.removeprefix("whsec_")).hex()):
        assert text not in dumped


def test_it_is_changed_disabled_enabled_and_deleted(api: Api, cast: Cast, endpoint: WebhookEndpoint) -> None:
    path = f"/webhooks/{endpoint.id}"
    changed = api.patch(
        path, {"url": "https://other.example.com/secret", "eventTypes": ["level.changed"]}, by=cast.admin
    )
    assert (changed.status, changed.body["url"], changed.body["eventTypes"]) == (
        200,
        "https://other.example.com/secret",
        ["level.changed"],
    )
    assert api.patch(path, {}, by=cast.admin).body == changed.body
    off = api.patch(path, {"active": False}, by=cast.admin).body
    assert (off["state"], off["disabledReason"]) == ("disabled", "switched_off")
    assert off["disabledAt"]
    assert api.patch(path, {"active": False}, by=cast.admin).body == off
    assert api.post(f"{path}/test", by=cast.admin).status == 409
    assert api.patch(path, {"active": True}, by=cast.admin).body == changed.body
    assert api.delete(path, by=cast.admin).status == 204
    for gone in (api.get(path, by=cast.admin), api.delete(path, by=cast.admin), api.patch(path, {}, by=cast.admin)):
        assert gone.status == 404
    assert api.get("/webhooks", by=cast.admin).body["total"] == 0
    kept = WebhookEndpoint.objects.get()
    assert bytes(kept.sealed_secret) == bytes(kept.former_sealed_secret) == b""
    assert kept.url == "https://other.example.com"


def test_what_happens_to_it_is_audited_without_secrets(api: Api, cast: Cast) -> None:
    made = make(api, cast)
    path = f"/webhooks/{made.body['id']}"
    api.patch(path, {"url": "https://hooks.example.com/cerply?key=another"}, by=cast.admin)
    api.patch(path, {"eventTypes": ["badge.awarded"]}, by=cast.admin)
    rotated = api.post(f"{path}/rotate-secret", by=cast.admin)
    test = api.post(f"{path}/test", by=cast.admin)
    WebhookDelivery.objects.update(state="sent", finished_at=clock.now())
    api.post(f"{path}/deliveries/{test.body['id']}/replay", by=cast.admin)
    api.patch(path, {"active": False}, by=cast.admin)
    api.patch(path, {"active": True}, by=cast.admin)
    api.delete(path, by=cast.admin)
    events = AuditEvent.objects.filter(type__startswith="webhook_").order_by("id")
    origin = "https://hooks.example.com"
    said = [{name: value for name, value in event.metadata.items() if name != "tokenId"} for event in events]
    assert [(event.type, each) for event, each in zip(events, said, strict=True)] == [
        ("webhook_created", {"origin": origin, "eventTypes": []}),
        ("webhook_changed", {"changes": {"origin": {"before": origin, "after": origin}}}),
        ("webhook_changed", {"changes": {"eventTypes": {"before": [], "after": ["badge.awarded"]}}}),
        ("webhook_secret_rotated", {"atOnce": False}),
        ("webhook_tested", {"deliveryId": test.body["id"]}),
        ("webhook_replayed", {"deliveryId": test.body["id"]}),
        ("webhook_disabled", {"reason": "switched_off"}),
        ("webhook_enabled", {}),
        ("webhook_deleted", {"origin": origin, "eventTypes": ["badge.awarded"]}),
    ]
    assert {(event.actor_id, str(event.subject_id)) for event in events} == {(cast.admin.id, made.body["id"])}
    written = str(said)
    for secret in ("in-the-address", "another", made.body["secret"], rotated.body["secret"]):
        assert secret not in written


# -- who may --


def routes(endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> list[tuple[str, str, Any]]:
    path = f"/webhooks/{endpoint.id}"
    return [
        ("GET", "/webhooks", None),
        ("GET", path, None),
        ("GET", f"{path}/deliveries", None),
        ("POST", "/webhooks", {"url": URL}),
        ("PATCH", path, {"active": False}),
        ("DELETE", path, None),
        ("POST", f"{path}/rotate-secret", None),
        ("POST", f"{path}/test", None),
        ("POST", f"{path}/deliveries/{delivery.id}/replay", None),
    ]


def test_admins_alone_change_them_and_who_sees_the_organization_may_look(
    api: Api, cast: Cast, endpoint: WebhookEndpoint, delivery: WebhookDelivery
) -> None:
    for method, path, body in routes(endpoint, delivery):
        assert api.call(method, path, body).status == 401
        for who in (cast.learner, cast.manager):
            assert api.call(method, path, body, who).status == 403
        looks = 200 if method == "GET" else 403
        assert api.call(method, path, body, cast.auditor).status == looks
        assert api.call(method, path, body, x_admin_token=ADMIN_TOKEN).status == looks
    assert WebhookEndpoint.objects.get().is_active


def test_another_organizations_are_not_there(
    api: Api, cast: Cast, endpoint: WebhookEndpoint, delivery: WebhookDelivery
) -> None:
    for method, path, body in routes(endpoint, delivery):
        if path != "/webhooks":
            assert api.call(method, path, body, cast.outside_admin).status == 404
    assert api.get("/webhooks", by=cast.outside_admin).body["total"] == 0
    other, _ = make_endpoint(cast.outside, URL)
    # One's own endpoint does not open another one's delivery.
    path = f"/webhooks/{other.id}/deliveries"
    assert api.post(f"{path}/{delivery.id}/replay", by=cast.outside_admin).status == 404
    assert api.get(path, by=cast.outside_admin).body["total"] == 0


def test_what_is_not_there_and_what_is_no_id(api: Api, cast: Cast, endpoint: WebhookEndpoint) -> None:
    for path in (f"/webhooks/{uuid4()}", f"/webhooks/{uuid4()}/deliveries"):
        assert api.get(path, by=cast.admin).status == 404
    assert api.post(f"/webhooks/{endpoint.id}/deliveries/{uuid4()}/replay", by=cast.admin).status == 404
    assert api.get("/webhooks/x", by=cast.admin).status == 400


def test_switched_off_there_are_none(api: Api, cast: Cast, endpoint: WebhookEndpoint, settings: Settings) -> None:
    settings.FEATURE_SWITCHES = settings.FEATURE_SWITCHES | {"manager_notifications": False}
    for path in ("/webhooks", f"/webhooks/{endpoint.id}", f"/webhooks/{endpoint.id}/deliveries"):
        assert api.get(path, by=cast.admin).body["error"]["message"] == "Feature not enabled"


# -- what may be said --


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "ftp://hooks.example.com"}, "url"),
        ({"url": "https://user:password@hooks.example.com/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://169.254.169.254/"}, "url"),
        ({"url": "https://localhost/"}, "url"),
        ({"url": f"https://hooks.example.com/{'a' * 2000}"}, "url"),
        ({"url": None}, "url"),
        ({"url": 1}, "url"),
        ({"url": ""}, "url"),
        ({"eventTypes": ["gossip"]}, "eventTypes"),
        ({"eventTypes": ["webhook.test"]}, "eventTypes"),
        ({"eventTypes": ["badge.awarded", "badge.awarded"]}, "eventTypes"),
        ({"eventTypes": "badge.awarded"}, "eventTypes"),
        ({"eventTypes": None}, "eventTypes"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
    ids=str,
)
def test_bad_input_is_named(
    api: Api, cast: Cast, endpoint: WebhookEndpoint, change: dict[str, Any], field: str
) -> None:
    for answer in (make(api, cast, **change), api.patch(f"/webhooks/{endpoint.id}", change, by=cast.admin)):
        assert (answer.status, list(answer.details)) == (400, [field])
    assert WebhookEndpoint.objects.get().url == URL


def test_other_bad_input(api: Api, cast: Cast, endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> None:
    path = f"/webhooks/{endpoint.id}"
    assert api.post("/webhooks", {}, by=cast.admin).status == 400
    assert api.patch(path, {"active": "true"}, by=cast.admin).status == 400
    rotations: list[Any] = [{"atOnce": 1}, {"more": 1}, []]
    for bad in rotations:
        assert api.post(f"{path}/rotate-secret", bad, by=cast.admin).status == 400
    for post in (f"{path}/test", f"{path}/deliveries/{delivery.id}/replay"):
        assert api.post(post, {"more": 1}, by=cast.admin).status == 400
    for query in ("state=none", "limit=0"):
        assert api.get(f"{path}/deliveries?{query}", by=cast.admin).status == 400


def test_there_are_ten_at_most(api: Api, cast: Cast) -> None:
    for _ in range(10):
        assert make(api, cast).status == 201
    assert make(api, cast).status == 409
    first = api.get("/webhooks", by=cast.admin).body["webhooks"][0]["id"]
    api.delete(f"/webhooks/{first}", by=cast.admin)
    assert make(api, cast).status == 201
    assert api.post("/webhooks", {"url": URL}, by=cast.outside_admin).status == 201


# -- idempotency --


def test_what_holds_a_secret_is_not_kept_and_the_rest_is_done_once(
    api: Api, cast: Cast, endpoint: WebhookEndpoint, delivery: WebhookDelivery
) -> None:
    for _ in range(2):
        assert api.post("/webhooks", {"url": URL}, by=cast.admin, x_idempotency_key="k").status == 201
        rotated = api.post(f"/webhooks/{endpoint.id}/rotate-secret", by=cast.admin, x_idempotency_key="k")
        assert (rotated.status, "X-Idempotency-Replay" in rotated.headers) == (200, False)
    assert WebhookEndpoint.objects.count() == 3
    assert not IdempotencyKey.objects.exists()
    tests = [api.post(f"/webhooks/{endpoint.id}/test", by=cast.admin, x_idempotency_key="k") for _ in range(2)]
    assert tests[0].body == tests[1].body
    assert tests[1].headers["X-Idempotency-Replay"] == "true"
    assert WebhookDelivery.objects.filter(event="webhook.test").count() == 1


# -- secrets --


def test_both_secrets_sign_for_a_day(api: Api, cast: Cast, endpoint: WebhookEndpoint) -> None:
    first = secrets_of(endpoint, clock.now())
    rotated = api.post(f"/webhooks/{endpoint.id}/rotate-secret", by=cast.admin)
    assert rotated.status == 200
    endpoint.refresh_from_db()
    second = base64.b64decode(rotated.body["secret"].removeprefix("whsec_"))
    now = clock.now()
    assert secrets_of(endpoint, now) == [second, *first]
    assert rotated.body["formerSecretUntil"] == rfc3339(endpoint.former_until or now)
    later = now + timedelta(hours=24)
    assert secrets_of(endpoint, later) == [second]
    with clock.moved_to(later):
        assert Api().get(f"/webhooks/{endpoint.id}", by=cast.admin).body["formerSecretUntil"] is None


def test_one_that_was_stolen_ends_at_once(api: Api, cast: Cast, endpoint: WebhookEndpoint) -> None:
    api.post(f"/webhooks/{endpoint.id}/rotate-secret", {}, by=cast.admin)
    rotated = api.post(f"/webhooks/{endpoint.id}/rotate-secret", {"atOnce": True}, by=cast.admin)
    assert rotated.body["formerSecretUntil"] is None
    endpoint.refresh_from_db()
    assert len(secrets_of(endpoint, clock.now())) == 1


def test_the_key_that_seals_them_rotates(api: Api, cast: Cast, endpoint: WebhookEndpoint, settings: Settings) -> None:
    [secret] = secrets_of(endpoint, clock.now())
    settings.KEY_ENCRYPTION_KEYS = [OTHER_KEY, *settings.KEY_ENCRYPTION_KEYS]
    assert secrets_of(endpoint, clock.now()) == [secret]
    api.post(f"/webhooks/{endpoint.id}/rotate-secret", by=cast.admin)
    endpoint.refresh_from_db()
    settings.KEY_ENCRYPTION_KEYS = [OTHER_KEY]
    assert len(secrets_of(endpoint, clock.now() + timedelta(days=2))) == 1
    with pytest.raises(KeyUnavailable, match=f"webhook endpoint {endpoint.id}"):
        secrets_of(endpoint, clock.now())


def test_a_sealed_secret_opens_for_its_endpoint_alone(cast: Cast, endpoint: WebhookEndpoint) -> None:
    other, _ = make_endpoint(cast.organization, URL)
    other.sealed_secret = endpoint.sealed_secret
    with pytest.raises(KeyUnavailable):
        secrets_of(other, clock.now())


# -- deliveries --


def test_deliveries_are_listed_newest_first(api: Api, cast: Cast, endpoint: WebhookEndpoint) -> None:
    give_answers(cast.learner, cast.track, 60, response_ms=10)
    path = f"/webhooks/{endpoint.id}/deliveries"
    pages = [api.get(f"{path}?limit=2&offset={offset}", by=cast.admin).body for offset in (0, 2, 4)]
    rows = [row for page in pages for row in page["deliveries"]]
    assert len({row["id"] for row in rows}) == pages[0]["total"] == 5
    assert rows == sorted(rows, key=lambda row: (row["createdAt"], row["id"]), reverse=True)
    assert {row["eventType"] for row in rows} == {"badge.awarded", "level.changed"}
    assert api.get(f"{path}?state=due", by=cast.admin).body["total"] == 5
    assert api.get(f"{path}?state=sent", by=cast.admin).body["total"] == 0


def test_lists_ask_no_more_for_many_than_for_few(api: Api, cast: Cast, endpoint: WebhookEndpoint) -> None:
    def cost(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert api.get(path, by=cast.admin).status == 200
        return len(queries)

    lists = ("/webhooks", f"/webhooks/{endpoint.id}/deliveries")
    give_answers(cast.learner, cast.track, 1)
    api.get("/webhooks", by=cast.admin)
    few = [cost(path) for path in lists]
    give_answers(cast.learner, cast.track, 250)
    for _ in range(5):
        make_endpoint(cast.organization, URL)
    assert [cost(path) for path in lists] == few


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_made_at_once_there_are_ten_at_most() -> None:
    cast = make_cast()
    token = Api().token_of(cast.admin)
    answers = at_once([lambda: Api().post("/webhooks", {"url": URL}, by=token)] * 14)
    assert sorted(answer.status for answer in answers) == [201] * 10 + [409] * 4
    assert WebhookEndpoint.objects.count() == 10


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_rotated_disabled_and_deleted_at_once_each_is_audited_once() -> None:
    cast = make_cast()
    endpoint, _ = make_endpoint(cast.organization, URL)
    token, path = Api().token_of(cast.admin), f"/webhooks/{endpoint.id}"
    calls = [lambda: Api().post(f"{path}/rotate-secret", by=token)] * 4
    calls += [lambda: Api().patch(path, {"active": False}, by=token)] * 4
    assert {answer.status for answer in at_once(calls)} == {200}
    assert AuditEvent.objects.filter(type="webhook_secret_rotated").count() == 4
    assert AuditEvent.objects.filter(type="webhook_disabled").count() == 1
    deleted = at_once([lambda: Api().delete(path, by=token)] * 4)
    assert sorted(answer.status for answer in deleted) == [204, 404, 404, 404]


def test_a_manager_who_was_an_admin_makes_none(api: Api, cast: Cast) -> None:
    """The role counts when it is asked, not when the token was made."""
    other = make_user(cast.organization, Role.ADMIN)
    token = api.token_of(other)
    other.role = Role.MANAGER
    other.save(update_fields=["role"])
    assert api.post("/webhooks", {"url": URL}, by=token).status == 403


def test_replaying_what_is_owed_still_changes_nothing(
    api: Api, cast: Cast, endpoint: WebhookEndpoint, delivery: WebhookDelivery
) -> None:
    path = f"/webhooks/{endpoint.id}/deliveries/{delivery.id}/replay"
    replayed = api.post(path, by=cast.admin)
    assert (replayed.status, replayed.body["state"]) == (202, "due")
    assert not AuditEvent.objects.filter(type="webhook_replayed").exists()
    endpoints.change(endpoint.id, {"active": False}, actor=ACTOR)
    assert api.post(path, by=cast.admin).status == 409
