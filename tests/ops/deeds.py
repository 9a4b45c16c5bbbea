"""What the jobs of these tests do; jobs are called by dotted name, also by other processes."""

import os
import signal

from django.db import connection

from cerply.requests import current_request_id


def succeed() -> str:
    return f"Done as {current_request_id()}."


def fail() -> str:
    raise RuntimeError("No luck.\0")


def die() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def wait() -> str:
    """As long as a test holds the lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(1)")
    return f"Done as {current_request_id()}."
