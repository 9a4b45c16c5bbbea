"""``python -m cerply.management.guard COMMAND…`` runs a command so that nothing of it outlives us.

Whatever the command forks is ended with it: when it dies (its orphans become ours), when we are told to stop, and when
our own parent dies.
"""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from cerply.management.processes import adopt_orphans, children_of, spawn

GRACE_SECONDS = 10


def guard(command: Sequence[str]) -> int:
    """Runs the command to its end; returns its exit code, 128 and the signal's number when a signal killed it."""
    adopt_orphans()
    child = spawn(command, environment=os.environ)
    stopped = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True
        child.send_signal(signal.SIGTERM)
        signal.alarm(GRACE_SECONDS)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGALRM, lambda number, frame: child.kill())
    code = child.wait()
    signal.alarm(0)
    end_orphans()
    if stopped:
        return 0
    return 128 - code if code < 0 else code


def end_orphans() -> None:
    """Kills what the command left to us; its children come to us in turn, until there is nothing."""
    while orphans := children_of(os.getpid()):
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1:]))
