"""The queue: a task is delivered to one worker, again when that one dies, and not for ever; with Redis and without."""

import multiprocessing
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from pytest_django import Settings
from redis import Redis

from ops import broker as broker_module
from ops import doorbell, surviving
from ops.broker import Broker
from ops.models import Delivery
from ops.wake import enqueue
from tests.management.watching import eventually
from tests.ops.bells import Bell, redis
from tests.threads import at_once, closing

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "PATIENCE", 0.02)
    monkeypatch.setattr(doorbell, "_silent_until", 0.0)


@pytest.fixture(params=["polled", "rung"])
def broker(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Broker]:
    """Each with the same guarantees."""
    if request.param == "polled":
        yield get_broker()
        return
    with redis() as bell:
        settings.REDIS_URL = bell.url
        yield get_broker()


@pytest.fixture
def bell(settings: Settings) -> Iterator[Bell]:
    with redis() as bell:
        settings.REDIS_URL = bell.url
        yield bell


def taken(broker: Broker) -> list[tuple[Any, ...]]:
    return [SignedPackage.loads(payload)["args"] for _, payload in broker.dequeue() or ()]


def lapse() -> None:
    """As if nobody had acknowledged in time."""
    OrmQ.objects.update(lock=F("lock") - timedelta(days=1))


def test_a_task_is_there_once_its_cause_is_committed(broker: Broker) -> None:
    with transaction.atomic():
        enqueue("math.sqrt", 1)
        transaction.set_rollback(True)
    with transaction.atomic():
        enqueue("math.sqrt", 2)
        assert at_once([lambda: taken(broker)]) == [[]]
    assert taken(broker) == [(2,)]


def test_tasks_come_in_their_order_and_each_once(broker: Broker) -> None:
    for number in range(25):
        enqueue("math.sqrt", number)
    found = [args for batch in at_once([lambda: taken(broker)] * 4) for args in batch]
    assert sorted(found) == [(number,) for number in range(25)]
    assert taken(broker) == []


def test_one_that_nobody_acknowledged_is_delivered_again(broker: Broker) -> None:
    enqueue("math.sqrt", 4)
    assert taken(broker) == [(4,)]
    assert taken(broker) == []
    lapse()
    assert taken(broker) == [(4,)]


def test_one_that_is_acknowledged_is_gone(broker: Broker) -> None:
    enqueue("math.sqrt", 4)
    [(task_id, _)] = broker.dequeue() or ()
    broker.acknowledge(task_id)
    lapse()
    assert taken(broker) == []
    assert not OrmQ.objects.exists()
    assert not Delivery.objects.exists()


def test_one_that_never_ends_is_given_up_loudly(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    enqueue("tests.ops.deeds.die")
    for _ in range(5):
        assert taken(broker) == [()]
        lapse()
    enqueue("math.sqrt", 4)
    assert taken(broker) == [(4,)]
    assert "task tests.ops.deeds.die() was begun 5 times and never ended, giving up" in caplog.text
    assert Delivery.objects.count() == OrmQ.objects.count() == 1


def test_a_database_that_is_away_ends_nobody(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(broker_module, "PAUSE", 0.0)
    enqueue("math.sqrt", 4)
    [(task_id, _)] = broker.dequeue() or ()

    def fail(*args: Any) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", fail)
        assert broker.dequeue() is None
        broker.acknowledge(task_id)
    assert "the queue cannot be read: away" in caplog.text
    assert "will be delivered once more: away" in caplog.text
    lapse()
    assert taken(broker) == [(4,)]


# -- Redis --


def test_a_worker_that_waits_is_woken_by_a_ring(bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "PATIENCE", 60)
    monkeypatch.setattr(doorbell, "_redis", lambda url: Redis.from_url(url))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(closing(get_broker().dequeue))
        eventually(lambda: bell.client.info("clients")["blocked_clients"])
        enqueue("math.sqrt", 4)
        waiting.result(timeout=30)
    assert taken(get_broker()) == [(4,)]


def test_what_redis_forgets_is_found_all_the_same(bell: Bell) -> None:
    enqueue("math.sqrt", 4)
    bell.client.flushall()
    assert taken(get_broker()) == [(4,)]


def test_rings_do_not_pile_up(bell: Bell) -> None:
    for _ in range(doorbell.MOST_RINGS + 20):
        doorbell.ring()
    assert bell.client.llen(doorbell.KEY) == doorbell.MOST_RINGS


def test_without_redis_tasks_are_taken_and_put_as_before(bell: Bell, caplog: pytest.LogCaptureFixture) -> None:
    bell.kill()
    enqueue("math.sqrt", 4)
    assert "Redis does not answer" in caplog.text
    assert not doorbell.is_there()
    assert taken(get_broker()) == [(4,)]
    assert taken(get_broker()) == []
    doorbell._silent_until = 0.0
    assert taken(get_broker()) == []
    bell.start()
    doorbell._silent_until = 0.0
    enqueue("math.sqrt", 9)
    assert bell.client.llen(doorbell.KEY) == 1


# -- what its processes share --


def is_held(lock: surviving.KernelLock) -> bool:
    """By another process."""
    if lock.acquire(block=False):
        lock.release()
        return False
    return True


def test_who_dies_with_the_queue_s_lock_in_hand_leaves_it_to_the_others() -> None:
    queue = surviving.Queue()
    context = multiprocessing.get_context("fork")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # it forks beside threads
        waiting = context.Process(target=queue.get)
        waiting.start()
    eventually(lambda: is_held(queue._rlock))
    waiting.kill()
    waiting.join()
    queue.put("task")
    assert queue.get(timeout=30) == "task"
    assert queue._rlock.acquire(timeout=0.0)
    queue.close()
