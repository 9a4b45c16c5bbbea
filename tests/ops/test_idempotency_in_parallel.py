"""Twins under one key, and a process that is killed between the effect and its commit."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from audit.models import AuditEvent
from gamification.models import Attempt, LearnerStanding
from notifications.models import ManagerNotification
from ops.models import IdempotencyKey
from tests.api.client import Api
from tests.factories import Cast, give_answers, make_cast
from tests.processes import run_python
from tests.threads import at_once, closing

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def row(cast: Cast) -> dict[str, Any]:
    item = cast.track.items.all()[0]
    return {"trackId": str(cast.track.id), "itemId": str(item.id), "correct": True}


def wait_until_a_holder_of_a_key_is_held_up() -> None:
    for _ in range(20_000):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_locks AS waiting JOIN pg_locks AS key USING (pid)"
                " WHERE NOT waiting.granted AND key.granted AND key.locktype = 'advisory')"
            )
            if cursor.fetchone()[0]:
                return
    raise AssertionError("Nobody came.")


def test_a_twin_is_told_at_once_that_the_first_still_runs(api: Api, cast: Cast) -> None:
    call = partial(api.post, "/attempts", row(cast), by=api.token_of(cast.learner), x_idempotency_key="a")
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            LearnerStanding.objects.lock([cast.learner])
            first = pool.submit(closing(call))
            wait_until_a_holder_of_a_key_is_held_up()
            twin = call()
            assert (twin.status, twin.code, twin.headers["Retry-After"]) == (409, "CONFLICT", "1")
            assert not first.done()
        assert first.result().status == 201
    again = call()
    assert (again.status, again.headers["X-Idempotency-Replay"]) == (201, "true")
    assert Attempt.objects.count() == 1


def test_of_many_twins_one_acts_and_each_gets_its_answer_or_is_told_to_wait(cast: Cast) -> None:
    token = Api().token_of(cast.learner)
    calls = [partial(Api().post, "/attempts", row(cast), by=token, x_idempotency_key="a") for _ in range(16)]
    answers = at_once(calls)
    assert {answer.status for answer in answers} <= {201, 409}
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status == 409)
    acted = [answer for answer in answers if answer.status == 201 and "X-Idempotency-Replay" not in answer.headers]
    assert len(acted) == Attempt.objects.count() == 1
    assert {answer.content for answer in answers if answer.status == 201} == {acted[0].content}


KILLED_BEFORE_THE_COMMIT = """
import json
from django.db import connection
from django.test import Client

def die_once_the_key_is_written(execute, sql, params, many, context):
    result = execute(sql, params, many, context)
    if sql.startswith("INSERT INTO \\"idempotency_keys\\""):
        os.kill(os.getpid(), signal.SIGKILL)
    return result

with connection.execute_wrapper(die_once_the_key_is_written):
    Client().post("/api/attempts", {body!r}, "application/json",
                  headers={{"Authorization": "Bearer {token}", "X-Idempotency-Key": "a"}})
"""


@pytest.mark.slow
def test_killed_before_the_commit_neither_the_effect_nor_the_key_is_there(api: Api, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 20)
    audited = AuditEvent.objects.count()
    token, body = api.token_of(cast.learner), row(cast)
    killed = run_python(KILLED_BEFORE_THE_COMMIT.format(body=json.dumps(body), token=token))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert Attempt.objects.count() == 20
    assert not IdempotencyKey.objects.exists()
    assert AuditEvent.objects.count() == audited + 1  # the token's
    answer = api.post("/attempts", body, by=token, x_idempotency_key="a")
    assert (answer.status, "X-Idempotency-Replay" in answer.headers) == (201, False)
    assert answer.body["levelChanges"][0]["newLevel"] == "learner"
    assert ManagerNotification.objects.filter(type="level_up").count() == 1
    assert IdempotencyKey.objects.count() == 1
