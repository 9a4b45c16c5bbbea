"""Waking the job worker through Redis, where ``REDIS_URL`` names one.

A task is a row of the database with or without it: committed with its cause, taken by one worker, taken again when that
one dies. Redis only says that there is something to fetch, so that nobody has to look ten times a second. Whatever it
forgets, and while it is away, is found by looking now and then.

Its client is imported only where there is a Redis: it brings more along than all the rest of the worker.
"""

import logging
import time
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from redis import Redis

logger = logging.getLogger(__name__)

KEY = "cerply:queue"
# More rings than this wake nobody who is not awake.
MOST_RINGS = 100
# In seconds. How long a worker waits for a ring before it looks of itself.
PATIENCE = 1
TIMEOUT = 0.5
# After a failure Redis is left alone for so long, for whoever rings waits for it.
RESPITE = 5

_silent_until = 0.0


@cache
def _redis(url: str) -> "Redis":
    from redis import Redis

    return Redis.from_url(url, socket_connect_timeout=TIMEOUT, socket_timeout=PATIENCE + TIMEOUT)


def is_there() -> bool:
    return bool(settings.REDIS_URL) and time.monotonic() >= _silent_until


def ring() -> None:
    """To be called when tasks are committed. Never fails: a worker finds them without it, only later."""
    if is_there():
        from redis.exceptions import RedisError

        try:
            bell = _redis(settings.REDIS_URL)
            with bell.pipeline(transaction=False) as pipe:
                pipe.lpush(KEY, 1)
                pipe.ltrim(KEY, 0, MOST_RINGS - 1)
                pipe.execute()
        except RedisError as exc:
            _leave_alone(exc)


def wait(otherwise: float) -> None:
    """Until it rings, or a second is over; without Redis so many seconds."""
    if is_there():
        from redis.exceptions import RedisError

        try:
            _redis(settings.REDIS_URL).blpop([KEY], PATIENCE)
            return
        except RedisError as exc:
            _leave_alone(exc)
    time.sleep(otherwise)


def _leave_alone(exc: Exception) -> None:
    global _silent_until
    _silent_until = time.monotonic() + RESPITE
    logger.warning("Redis does not answer, so that the queue is polled: %s", exc)
