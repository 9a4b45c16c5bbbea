"""What a token may be used for."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from cerply import clock
from cerply.accounts import tokens
from cerply.accounts.models import ApiToken, User
from cerply.permissions import Scope
from tests.api.client import Api
from tests.console import page_of
from tests.factories import ACTOR, Cast


def token_for(user: User, *scopes: Scope) -> str:
    expires_at = clock.now() + timedelta(days=1)
    return tokens.create(user, "scoped", expires_at=expires_at, actor=ACTOR, scopes=scopes)[1]


def answer_of(cast: Cast) -> dict[str, Any]:
    return {"trackId": str(cast.track.id), "itemId": str(cast.track.items.all()[0].id), "correct": True}


def test_a_token_that_reads_writes_nothing(api: Api, cast: Cast) -> None:
    token = token_for(cast.learner, Scope.READ)
    assert api.get("/auth/me", by=token).status == 200
    answer = api.post("/attempts", answer_of(cast), by=token)
    assert (answer.status, answer.code) == (403, "FORBIDDEN")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="cerply", error="insufficient_scope", scope="write"'
    assert api.post("/auth/tokens", {"name": "more"}, by=token).status == 403
    assert api.get(f"/learners/{cast.learner.id}/levels", by=token).body["total"] == 0


def test_a_token_that_writes_reads_nothing(api: Api, cast: Cast) -> None:
    token = token_for(cast.admin, Scope.WRITE)
    row = answer_of(cast) | {"learnerId": str(cast.learner.id)}
    assert api.post("/attempts", row, by=token).status == 201
    for path in ("/auth/me", "/learners", f"/learners/{cast.learner.id}/levels", "/audit/events"):
        answer = api.get(path, by=token)
        assert (answer.status, 'scope="read"' in answer.headers["WWW-Authenticate"]) == (403, True)
    assert api.get("/flags", by=token).status == 200, "it is public"


def test_without_saying_so_it_is_for_both(api: Api, cast: Cast) -> None:
    made = api.post("/auth/tokens", {"name": "both"}, by=cast.learner)
    assert (made.status, made.body["scopes"]) == (201, ["read", "write"])
    assert api.get("/auth/me", by=made.body["token"]).status == 200
    assert api.post("/attempts", answer_of(cast), by=made.body["token"]).status == 201
    assert {tuple(row["scopes"]) for row in api.get("/auth/tokens", by=cast.learner).body["tokens"]} == {
        ("read", "write")
    }


def test_one_made_with_a_token_has_no_more(api: Api, cast: Cast) -> None:
    writing = token_for(cast.learner, Scope.WRITE)
    made = api.post("/auth/tokens", {"name": "the same"}, by=writing)
    assert made.body["scopes"] == ["write"]
    answer = api.post("/auth/tokens", {"name": "more", "scopes": ["read", "write"]}, by=writing)
    assert (answer.status, list(answer.details)) == (400, ["scopes"])


@pytest.mark.parametrize("scopes", [[], ["admin"], "read", None, [None], ["read"] * 3, {"read": True}])
def test_odd_scopes_are_refused(api: Api, cast: Cast, scopes: Any) -> None:
    answer = api.post("/auth/tokens", {"name": "odd", "scopes": scopes}, by=cast.learner)
    assert (answer.status, list(answer.details)) == (400, ["scopes"])


def test_one_twice_is_one(api: Api, cast: Cast) -> None:
    made = api.post("/auth/tokens", {"name": "twice", "scopes": ["read", "read"]}, by=cast.learner)
    assert made.body["scopes"] == ["read"]


@pytest.mark.parametrize("scopes", [[], ["admin"]])
def test_the_database_takes_no_others(cast: Cast, scopes: list[str]) -> None:
    token_for(cast.learner, Scope.READ)
    with pytest.raises(IntegrityError, match="api_tokens_scopes_are_known"), transaction.atomic():
        ApiToken.objects.update(scopes=scopes)


def test_staff_choose_them_in_the_admin(console: Client, cast: Cast, api: Api) -> None:
    form = {"user": cast.admin.id, "name": "for the LMS", "scopes": ["write"]}
    form |= {"expires_at_0": f"{clock.now() + timedelta(days=9):%Y-%m-%d}", "expires_at_1": "12:00"}
    assert console.post(page_of(ApiToken, "add"), form).status_code == 302
    assert ApiToken.objects.get(name="for the LMS").scopes == ["write"]
    page = console.get(page_of(ApiToken, "add")).content.decode()
    assert page.count('name="scopes"') == 2
    assert page.count("checked") >= 2
