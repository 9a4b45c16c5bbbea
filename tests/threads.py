"""Threads with connections of their own, for tests in which many do something at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
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
