"""The same write under the same key has one effect and one answer."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from cerply import clock
from cerply.accounts.models import User
from cerply.permissions import Role
from gamification.models import Attempt
from ops.models import IdempotencyKey
from tests.api.client import Answer, Api
from tests.factories import Cast, make_token


def row(cast: Cast, **fields: Any) -> dict[str, Any]:
    item = cast.track.items.all()[0]
    return {"trackId": str(cast.track.id), "itemId": str(item.id), "correct": True, **fields}


def is_replay(answer: Answer) -> bool:
    return answer.headers.get("X-Idempotency-Replay") == "true"


# -- the same again --


def test_the_same_request_again_gets_the_stored_answer(api: Api, cast: Cast) -> None:
    first = api.post("/attempts", row(cast), by=cast.learner, x_idempotency_key="a")
    again = api.post("/attempts", row(cast), by=cast.learner, x_idempotency_key="a")
    assert (first.status, is_replay(first)) == (201, False)
    assert (again.status, is_replay(again), again.content) == (201, True, first.content)
    for name in ("Content-Type", "Cache-Control", "Vary"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert Attempt.objects.count() == 1


def test_the_same_is_what_means_the_same(api: Api, cast: Cast) -> None:
    body = row(cast)
    api.post("/attempts", body, by=cast.learner, x_idempotency_key="a")
    other_way = json.dumps(dict(reversed(body.items())), indent=4).encode()
    assert is_replay(api.post("/attempts", other_way, by=cast.learner, x_idempotency_key="a"))


@pytest.mark.parametrize("change", [{"correct": False}, {"responseMs": 1}])
def test_another_body_under_the_key_is_a_conflict(api: Api, cast: Cast, change: dict[str, Any]) -> None:
    api.post("/attempts", row(cast), by=cast.learner, x_idempotency_key="a")
    answer = api.post("/attempts", row(cast, **change), by=cast.learner, x_idempotency_key="a")
    assert (answer.status, answer.code) == (409, "CONFLICT")
    assert Attempt.objects.count() == 1


def test_a_conflict_comes_before_the_body_is_looked_at(api: Api, cast: Cast) -> None:
    api.post("/attempts", row(cast), by=cast.learner, x_idempotency_key="a")
    for body in ({"nonsense": 1}, b"{", b"[" * 5000):
        assert api.post("/attempts", body, by=cast.learner, x_idempotency_key="a").status == 409


def test_a_key_means_one_caller_one_method_one_path(api: Api, cast: Cast) -> None:
    key = {"x_idempotency_key": "a"}
    assert api.post("/attempts", row(cast), by=cast.learner, **key).status == 201
    own = api.post("/attempts", row(cast), by=cast.colleague, **key)
    assert (own.status, is_replay(own)) == (201, False)
    share = api.post("/shares", {"artefactId": "wiki/1"}, by=cast.learner, **key)
    assert (share.status, is_replay(share)) == (201, False)
    for name in ("Blue", "Red"):
        answer = api.patch(f"/teams/{cast.team.id}", {"name": name}, by=cast.admin, x_idempotency_key=name)
        assert (answer.status, is_replay(answer)) == (200, False)


def test_another_token_of_hers_is_the_same_caller(api: Api, cast: Cast) -> None:
    api.post("/attempts", row(cast), by=make_token(cast.learner), x_idempotency_key="a")
    assert is_replay(api.post("/attempts", row(cast), by=make_token(cast.learner), x_idempotency_key="a"))


def test_an_answer_without_a_body_is_kept_too(api: Api, cast: Cast) -> None:
    path = f"/teams/{cast.team.id}"
    first = api.delete(path, by=cast.admin, x_idempotency_key="a")
    again = api.delete(path, by=cast.admin, x_idempotency_key="a")
    assert first.status == again.status == 204
    assert (is_replay(again), again.content) == (True, b"")
    assert api.delete(path, by=cast.admin).status == 404


# -- the key --


def test_either_header_will_do(api: Api, cast: Cast) -> None:
    api.post("/attempts", row(cast), by=cast.learner, idempotency_key="a")
    assert is_replay(api.post("/attempts", row(cast), by=cast.learner, x_idempotency_key="a"))
    both = {"x_idempotency_key": "a", "idempotency_key": "a"}
    assert is_replay(api.post("/attempts", row(cast), by=cast.learner, **both))


def test_two_different_keys_are_refused(api: Api, cast: Cast) -> None:
    both = {"x_idempotency_key": "a", "idempotency_key": "b"}
    answer = api.post("/attempts", row(cast), by=cast.learner, **both)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")
    assert not Attempt.objects.exists()


@pytest.mark.parametrize("key", ["", "k" * 256, "caf\xe9", "a\x7fb", "a\tb"])
def test_a_key_is_1_to_255_printable_characters(api: Api, cast: Cast, key: str) -> None:
    assert api.post("/attempts", row(cast), by=cast.learner, x_idempotency_key=key).status == 400
    assert not Attempt.objects.exists()


def test_the_longest_key_works(api: Api, cast: Cast) -> None:
    for replay in (False, True):
        answer = api.post("/attempts", row(cast), by=cast.learner, x_idempotency_key="~" * 255)
        assert (answer.status, is_replay(answer)) == (201, replay)


def test_reading_takes_no_key(api: Api, cast: Cast) -> None:
    for _ in range(2):
        answer = api.get(f"/learners/{cast.learner.id}/levels", by=cast.learner, x_idempotency_key="a")
        assert (answer.status, is_replay(answer)) == (200, False)
    assert not IdempotencyKey.objects.exists()


def test_secrets_are_never_kept(api: Api, cast: Cast) -> None:
    body = {"name": "robot", "expiresAt": clock.rfc3339(clock.now() + timedelta(hours=1))}
    secrets = [api.post("/auth/tokens", body, by=cast.learner, x_idempotency_key="a") for _ in range(2)]
    assert [answer.status for answer in secrets] == [201, 201]
    assert secrets[0].content != secrets[1].content
    assert not IdempotencyKey.objects.exists()


# -- what is no replay --


def test_a_failed_call_frees_the_key(api: Api, cast: Cast) -> None:
    assert api.post("/attempts", row(cast, credit=1), by=cast.learner, x_idempotency_key="a").status == 400
    assert api.post("/teams", {"name": cast.team.name}, by=cast.admin, x_idempotency_key="a").status in {400, 409}
    assert not IdempotencyKey.objects.exists()
    answer = api.post("/attempts", row(cast), by=cast.learner, x_idempotency_key="a")
    assert (answer.status, is_replay(answer)) == (201, False)


def test_who_may_not_make_the_call_gets_no_replay(api: Api, cast: Cast) -> None:
    body = row(cast, learnerId=str(cast.learner.id))
    token = make_token(cast.admin)
    assert api.post("/attempts", body, by=token, x_idempotency_key="a").status == 201
    User.objects.filter(id=cast.admin.id).update(role=Role.LEARNER)
    assert api.post("/attempts", body, by=token, x_idempotency_key="a").status == 403
    User.objects.filter(id=cast.admin.id).update(is_active=False)
    assert api.post("/attempts", body, by=token, x_idempotency_key="a").status == 401
    assert api.post("/attempts", body, x_idempotency_key="a").status == 401


def test_a_key_holds_for_24_hours_judged_when_read(api: Api, cast: Cast) -> None:
    token = make_token(cast.learner, expires_at=clock.now() + timedelta(days=9))
    start = clock.now()
    for hours, replay in ((0, False), (12, True), (23.99, True), (24, False), (36, True), (49, False)):
        with clock.moved_to(start + timedelta(hours=hours)):
            answer = api.post("/attempts", row(cast), by=token, x_idempotency_key="a")
        assert (answer.status, is_replay(answer)) == (201, replay)
    assert Attempt.objects.count() == 3


# -- cleaning up --


def make_keys(ages: list[float]) -> None:
    IdempotencyKey.objects.bulk_create(
        IdempotencyKey(
            caller="member:x",
            method="POST",
            path="/api/attempts",
            key=str(number),
            fingerprint="x",
            status=201,
            headers={},
            body=b"{}",
            created_at=clock.now() - timedelta(hours=age),
        )
        for number, age in enumerate(ages)
    )


def clean_up(**options: Any) -> str:
    output = StringIO()
    call_command("cleanup_idempotency_keys", stdout=output, **options)
    return output.getvalue().strip()


def test_expired_keys_are_deleted_in_steps(db: None) -> None:
    make_keys([1, 23, 23.9, *[25] * 2500])
    assert clean_up(dry_run=True) == "Would delete 2500 expired idempotency keys."
    assert IdempotencyKey.objects.count() == 2503
    assert clean_up() == "Deleted 2500 expired idempotency keys."
    assert clean_up() == "Deleted 0 expired idempotency keys."
    assert IdempotencyKey.objects.count() == 3
