"""Sixteen clients at once, from outside."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest

from tests.acceptance.client import FIRE, Answer, Service

pytestmark = pytest.mark.slow

CLIENTS = 16


def at_once(call: Callable[[int], Answer]) -> list[Answer]:
    together = Barrier(CLIENTS)

    def client(number: int) -> Answer:
        together.wait()
        return call(number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(client, range(CLIENTS)))


def test_the_same_attempts(service: Service) -> None:
    learner, item = service.new_learner(), service.items(FIRE)[0]
    row = {"learnerId": learner, "trackId": FIRE, "itemId": item, "correct": True, "responseMs": 10}
    rows = [row | {"id": str(uuid4())} for _ in range(60)]
    answers = at_once(lambda _: service.post("/attempts", {"attempts": rows}))
    assert {answer.status for answer in answers} == {201}
    assert sum(answer.body["recorded"] for answer in answers) == 60
    assert sum(answer.body["duplicates"] for answer in answers) == 15 * 60
    assert sum(len(answer.body["levelChanges"]) for answer in answers) == 2
    assert sum(len(answer.body["badges"]) for answer in answers) == 3
    assert service.get(f"/learners/{learner}/level/{FIRE}").body["correctAttempts"] == 60


def test_the_same_idempotency_key(service: Service) -> None:
    learner, key = service.new_learner(), str(uuid4())
    item = service.items(FIRE)[0]
    row = {"learnerId": learner, "trackId": FIRE, "itemId": item, "correct": True}
    answers = at_once(lambda _: service.post("/attempts", row, x_idempotency_key=key))
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status == 201}) == 1
    replay = service.post("/attempts", row, x_idempotency_key=key)
    assert (replay.status, replay.headers["X-Idempotency-Replay"]) == (201, "true")
    assert service.post("/attempts", row | {"correct": False}, idempotency_key=key).status == 409
    assert service.get(f"/learners/{learner}/level/{FIRE}").body["correctAttempts"] == 1


def test_the_same_last_item(service: Service) -> None:
    learner = service.new_learner()
    *first, last = service.items(FIRE)
    rows = [{"learnerId": learner, "trackId": FIRE, "itemId": item, "correct": True} for item in first]
    service.post("/attempts", {"attempts": rows})
    row = {"learnerId": learner, "trackId": FIRE, "itemId": last, "correct": True}
    answers = at_once(lambda _: service.post("/attempts", row))
    assert sum(len(answer.body["certificates"]) for answer in answers) == 1
    assert service.get(f"/learners/{learner}/certificates").body["total"] == 1
