"""Starting `certificates.confined`, where strangers' files are looked into."""

import json
import subprocess
import sys
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from cerply.errors import ServiceUnavailable

# However little of it is CPU.
WALL_SECONDS = 10
# In the whole service, whoever sends how many files from how many addresses. Each has an advisory lock.
SLOTS = (7_462_000_001, 7_462_000_002)


class TooMuchEffort(Exception):
    """The file needs more time or memory than any of ours, and its process was ended."""


def run(task: str, content: bytes) -> dict[str, Any]:
    """What the task of `certificates.confined` says of the content. It gets nothing of our environment.

    Raises `TooMuchEffort`; `ServiceUnavailable` while as many as may are at work.
    """
    with transaction.atomic():
        if not any(_is_ours(slot) for slot in SLOTS):
            raise ServiceUnavailable(
                "Too many files are being looked into. Send it again.", headers={"Retry-After": "2"}
            )
        return _run(task, content)


def _is_ours(slot: int) -> bool:
    """Until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [slot])
        return bool(cursor.fetchone()[0])


def _run(task: str, content: bytes) -> dict[str, Any]:
    command = [sys.executable, "-E", "-s", "-m", "certificates.confined", task]
    try:
        done = subprocess.run(  # noqa: S603 - our own module; what strangers send is its input alone
            command,
            input=content,
            capture_output=True,
            check=False,
            cwd=settings.BASE_DIR,
            env={"LC_ALL": "C.UTF-8"},
            timeout=WALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise TooMuchEffort(f"{task}: more than {WALL_SECONDS} s") from None
    if done.returncode:
        # A signal, or no more memory.
        raise TooMuchEffort(f"{task}: ended with {done.returncode}")
    return dict(json.loads(done.stdout))
