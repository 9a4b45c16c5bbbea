"""Sessions, tokens and the admin token: who is calling, and what contradicts itself."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from audit.models import AuditEvent
from cerply import clock
from cerply.accounts import passwords, people, signing_in, tokens
from cerply.accounts.models import ApiToken, Organization, User
from cerply.clock import rfc3339
from cerply.permissions import Role
from tests.api.client import Api
from tests.factories import ACTOR, Cast, make_staff, make_token, make_user

PASSWORD = "correct horse battery"
ADMIN_TOKEN = "dev-admin-token-12345"


def give_password(user: User, password: str = PASSWORD) -> None:
    user.set_password(password)
    user.save()


def sign_in(api: Api, user: User, **more: Any) -> Any:
    give_password(user)
    return api.post("/auth/login", {"email": user.email, "password": PASSWORD, **more})


def csrf(api: Api) -> dict[str, str]:
    return {"x_csrftoken": api.client.cookies["csrftoken"].value}


def test_signing_in_and_out(api: Api, cast: Cast) -> None:
    answer = sign_in(api, cast.learner)
    assert answer.status == 200
    assert answer.body == {
        "id": str(cast.learner.id),
        "name": "Maya Lindqvist",
        "email": cast.learner.email,
        "role": "learner",
        "organization": {"id": str(cast.organization.id), "name": "Nordlys Energy"},
        "staff": False,
        "locale": "en",
        "timezone": "UTC",
    }
    assert api.get("/auth/me").body == answer.body
    assert api.post("/auth/logout", **csrf(api)).status == 204
    assert api.get("/auth/me").status == 401
    types = AuditEvent.objects.exclude(type="token_created").order_by("id").values_list("type", flat=True)
    assert list(types) == ["signed_in", "signed_out"]


def test_addresses_are_compared_without_case(api: Api, cast: Cast) -> None:
    give_password(cast.learner)
    body = {"email": cast.learner.email.upper(), "password": PASSWORD}
    assert api.post("/auth/login", body).status == 200


@pytest.mark.parametrize("email", ["nobody@example.com", "", " ", "a\0b", "x" * 300])
def test_who_does_not_match_stays_out(api: Api, cast: Cast, email: str) -> None:
    answer = api.post("/auth/login", {"email": email, "password": "wrong"})
    assert answer.status in {400, 401}
    assert "sessionid" not in api.client.cookies


def test_a_wrong_password_is_audited(api: Api, cast: Cast) -> None:
    give_password(cast.learner)
    assert api.post("/auth/login", {"email": cast.learner.email, "password": "no"}).status == 401
    assert AuditEvent.objects.get(type="sign_in_failed").metadata["email"] == cast.learner.email


def test_the_password_decides_between_two_with_one_address(api: Api, cast: Cast) -> None:
    twin = make_user(cast.outside, email=cast.learner.email, password="another long password")
    give_password(cast.learner)
    body = {"email": twin.email, "password": "another long password"}
    assert api.post("/auth/login", body).body["id"] == str(twin.id)
    give_password(twin)
    body = {"email": twin.email, "password": PASSWORD}
    answer = Api().post("/auth/login", body)
    assert (answer.status, list(answer.details)) == (400, ["organization"])
    chosen = Api().post("/auth/login", body | {"organization": str(cast.outside.id)})
    assert chosen.body["id"] == str(twin.id)


def test_writes_by_session_need_the_csrf_token(api: Api, cast: Cast) -> None:
    sign_in(api, cast.learner)
    item = cast.track.items.all()[0]
    row = {"trackId": str(cast.track.id), "itemId": str(item.id), "correct": True}
    assert api.post("/attempts", row).status == 403
    assert api.post("/attempts", row, x_csrftoken="wrong").status == 403
    assert api.post("/attempts", row, **csrf(api)).status == 201


def test_a_deactivated_person_is_out_at_once(api: Api, cast: Cast) -> None:
    sign_in(api, cast.learner)
    token = make_token(cast.learner)
    people.change_person(cast.learner.id, {"active": False}, actor=ACTOR)
    assert api.get("/auth/me").status == 401
    assert Api().get("/auth/me", by=token).status == 401
    people.change_person(cast.learner.id, {"active": True}, actor=ACTOR)
    assert api.get("/auth/me").status == 401
    assert Api().get("/auth/me", by=token).status == 401


def test_the_people_of_a_closed_organization_are_out(api: Api, cast: Cast) -> None:
    sign_in(api, cast.learner)
    token = make_token(cast.learner)
    Organization.objects.filter(id=cast.organization.id).update(closed_at=clock.now())
    assert api.get("/auth/me").status == 401
    assert Api().get("/auth/me", by=token).status == 401
    assert Api().post("/auth/login", {"email": cast.learner.email, "password": PASSWORD}).status == 401


def test_a_wrong_token_is_401_also_with_a_good_session_and_on_public_routes(api: Api, cast: Cast) -> None:
    sign_in(api, cast.learner)
    for path in ("/auth/me", "/health", "/ops/kpis", "/flags"):
        assert api.get(path, by="wrong").status == 401
        assert api.get(path, authorization="Basic eDp5").status == 401
        assert api.get(path, authorization="Bearer").status == 401
        assert api.get(path, x_admin_token="wrong").status == 401


def test_two_different_credentials_are_400(api: Api, cast: Cast) -> None:
    token = make_token(cast.colleague)
    assert api.get("/auth/me", by=token, x_admin_token=ADMIN_TOKEN).status == 400
    sign_in(api, cast.learner)
    assert api.get("/auth/me", by=token).status == 400
    assert api.get("/auth/me", x_admin_token=ADMIN_TOKEN).status == 400
    assert api.get("/auth/me", by=make_token(cast.learner)).status == 200


@pytest.mark.parametrize("token", ["", "x", "ü" * 10, "x" * 5000, "a b", "\\x00"])
def test_odd_tokens_are_401(api: Api, db: None, token: str) -> None:
    assert api.get("/auth/me", authorization=f"Bearer {token}").status == 401


# -- tokens --


def test_a_token_is_shown_once_and_kept_as_a_digest(api: Api, cast: Cast) -> None:
    made = api.post("/auth/tokens", {"name": "laptop"}, by=cast.learner)
    assert made.status == 201
    secret = made.body["token"]
    assert api.get("/auth/me", by=secret).body["id"] == str(cast.learner.id)
    page = api.get("/auth/tokens", by=cast.learner)
    assert page.body["total"] == 2
    assert secret not in page.content.decode()
    row = ApiToken.objects.get(id=made.body["id"])
    assert secret.encode() not in bytes(row.digest)
    assert row.last_used_at is not None
    assert AuditEvent.objects.filter(type="token_created", subject_id=row.id).count() == 1


def test_a_token_made_with_a_token_lives_no_longer(api: Api, cast: Cast) -> None:
    parent = make_token(cast.learner, expires_at=clock.now() + timedelta(hours=1))
    made = api.post("/auth/tokens", {"name": "child"}, by=parent).body
    assert made["expiresAt"] < rfc3339(clock.now() + timedelta(hours=1, seconds=1))


def test_a_revoked_and_an_expired_token_are_401(api: Api, cast: Cast) -> None:
    made = api.post("/auth/tokens", {"name": "laptop"}, by=cast.learner).body
    assert api.delete(f"/auth/tokens/{made['id']}", by=cast.colleague).status == 404
    assert api.delete(f"/auth/tokens/{made['id']}", by=cast.learner).status == 204
    assert api.delete(f"/auth/tokens/{made['id']}", by=cast.learner).status == 204
    assert api.get("/auth/me", by=made["token"]).status == 401
    assert AuditEvent.objects.filter(type="token_revoked").count() == 1
    old = make_token(cast.learner, expires_at=clock.now() + timedelta(hours=1))
    with clock.moved_to(clock.now() + timedelta(hours=2)):
        assert api.get("/auth/me", by=old).status == 401


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": 1}, {"name": "x", "expiresAt": "2020-01-01T00:00:00Z"}, {"name": "x", "no": 1}]
)
def test_bad_tokens_are_refused(api: Api, cast: Cast, body: dict[str, Any]) -> None:
    assert api.post("/auth/tokens", body, by=cast.learner).status == 400


def test_published_tokens_open_nothing_in_production(api: Api, cast: Cast, settings: Settings) -> None:
    expires_at = clock.now() + timedelta(days=1)
    tokens.create(cast.learner, "demo", expires_at=expires_at, actor=ACTOR, secret="demo-learner-token")
    assert api.get("/auth/me", by="demo-learner-token").status == 200
    settings.RELAXED = False
    assert api.get("/auth/me", by="demo-learner-token").status == 401


# -- the admin token, and staff --


def test_the_admin_token_reads_everything_and_writes_nothing(api: Api, cast: Cast) -> None:
    me = api.get("/auth/me", x_admin_token=ADMIN_TOKEN)
    assert (me.status, me.body["staff"], me.body["id"]) == (200, True, None)
    for learner in (cast.learner, cast.outsider):
        assert api.get(f"/learners/{learner.id}", x_admin_token=ADMIN_TOKEN).status == 200
    for path in ("/attempts", "/learners", "/teams", "/auth/tokens"):
        assert api.post(path, {}, x_admin_token=ADMIN_TOKEN).status == 403
    assert AuditEvent.objects.filter(type="admin_token_used").count() == 7


def test_where_it_does_not_count_the_header_is_as_if_it_were_not_there(
    api: Api, cast: Cast, settings: Settings
) -> None:
    settings.ADMIN_TOKEN = ""
    assert api.get("/auth/me", x_admin_token=ADMIN_TOKEN).status == 401
    assert api.get("/health", x_admin_token="anything").status == 200
    assert api.get("/auth/me", by=cast.learner, x_admin_token=ADMIN_TOKEN).status == 200


def test_staff_read_everything_and_write_nothing(api: Api, cast: Cast) -> None:
    staff = make_staff()
    assert sign_in(api, staff).body["staff"] is True
    assert api.get(f"/learners/{cast.outsider.id}").status == 200
    assert api.post("/teams", {"name": "x"}, **csrf(api)).status == 403


# -- passwords --


def test_the_link_sets_a_password_once_and_ends_sessions(api: Api, cast: Cast) -> None:
    sign_in(api, cast.learner)
    cast.learner.refresh_from_db()
    path = passwords.link_of(cast.learner).partition("127.0.0.1:8080")[2]
    browser = Client()
    page = browser.get(path, follow=True)
    assert "Choose a password" in page.content.decode()
    form = {"new_password1": "a new long password", "new_password2": "a new long password"}
    assert browser.post(page.request["PATH_INFO"], form).status_code == 302
    assert api.get("/auth/me").status == 401
    assert Client().get(path, follow=True).content.decode().count("no longer good") == 1
    body = {"email": cast.learner.email, "password": "a new long password"}
    assert Api().post("/auth/login", body).status == 200
    assert AuditEvent.objects.filter(type="password_changed").count() == 1


def test_a_login_form_is_no_json(api: Api, cast: Cast) -> None:
    content = b"email=a%40b.example&password=x"
    answer = api.call("POST", "/auth/login", content, content_type="application/x-www-form-urlencoded")
    assert answer.status == 415
    assert json.loads(answer.content)["error"]["code"] == "UNSUPPORTED_MEDIA_TYPE"


def test_the_last_admin_stays(api: Api, cast: Cast) -> None:
    path = f"/learners/{cast.admin.id}"
    assert api.patch(path, {"active": False}, by=cast.admin).status == 409
    assert api.patch(path, {"role": "learner"}, by=cast.admin).status == 409
    make_user(cast.organization, Role.ADMIN)
    assert api.patch(path, {"role": "learner"}, by=cast.admin).status == 200
    assert api.patch(path, {"role": "admin"}, by=cast.admin).status == 403


def test_expired_sessions_are_deleted_in_steps(api: Api, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_in, "STEP", 2)
    for _ in range(5):
        SessionStore().create()
    Session.objects.update(expire_date=clock.now() - timedelta(seconds=1))
    sign_in(api, cast.learner)
    with CaptureQueriesContext(connection) as queries:
        assert signing_in.clear_sessions() == "Deleted 5 expired sessions."
    assert sum("DELETE" in query["sql"] for query in queries) == 3
    assert api.get("/auth/me").status == 200
    assert Session.objects.count() == 1
