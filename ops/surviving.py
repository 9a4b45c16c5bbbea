"""What the worker's processes share, so that it survives them.

A process that waits for a task holds the lock of django-q's queue all the while. If it is killed, that lock is never
let go, and the others wait for ever, with every sign of life. Locks of the kernel end with who holds them.
"""

import fcntl
import os
import tempfile
import time
from typing import Any

from django_q import cluster, queues

POLL = 0.01


class KernelLock:
    """As far as `multiprocessing.Queue` uses a lock: between processes, one thread of each. Of a file with no name."""

    def __init__(self) -> None:
        self._file, path = tempfile.mkstemp(prefix="cerply-lock-")
        os.unlink(path)

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        if block and timeout is None:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            return True
        until = time.monotonic() + (timeout or 0 if block else 0)
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    return False
                time.sleep(POLL)
            else:
                return True

    def release(self) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()


class Queue(queues.Queue):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rlock, self._wlock = KernelLock(), KernelLock()


def install() -> None:
    """Before the worker starts."""
    cluster.Queue = Queue
