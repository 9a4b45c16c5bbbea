"""Threads with connections of their own, for tests in which many do something at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import Queue
from threading import Barrier, Event
from typing import Any

from django.db import connection


def closing(call: Callable[[], Any]) -> Callable[[], Any]:
    """The call, closing the thread's connection afterwards."""

    def closed() -> Any:
        try:
            return call()
        finally:
            connection.close()

    return closed


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """The results of calls that set out at the same moment; the first exception is raised."""
    together = Barrier(len(calls))

    def start(call: Callable[[], Any]) -> Any:
        together.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        waiting = [pool.submit(closing(partial(start, call))) for call in calls]
        return [future.result() for future in waiting]


def meanwhile(call: Callable[[], Any]) -> "Future[Any]":
    """Sets out in a thread, and returns when the call is through, or waits for what this transaction holds."""
    pids: Queue[int] = Queue()

    def start() -> Any:
        connection.ensure_connection()
        pids.put(connection.connection.info.backend_pid)
        return call()

    pool = ThreadPoolExecutor(1)
    future = pool.submit(closing(start))
    pool.shutdown(wait=False)
    pid = pids.get(timeout=60)
    while not future.done() and not _waits(pid):
        Event().wait(0.01)
    return future


def _waits(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", [pid])
        return bool(cursor.fetchone()[0])
