"""``python -m cerply.management.guard -- COMMAND…`` runs a command so that nothing of it outlives us.

Whatever the command forks is ended with it: when it dies (its orphans become ours), when we are told to stop, and when
our own parent dies.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from cerply.management.processes import adopt_orphans, descendants, die_with_parent, spawn

GRACE_SECONDS = 10


def guard(command: Sequence[str]) -> int:
    """Runs the command to its end; returns its exit code, 128 and the signal's number when a signal killed it."""
    die_with_parent(signal.SIGTERM)
    if os.getppid() == 1:
        return 1
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
    end_descendants()
    if stopped:
        return 0
    return 128 - code if code < 0 else code


def end_descendants() -> None:
    """Kills what the command left behind, until there is nothing."""
    while left := descendants(os.getpid()):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)


if __name__ == "__main__":
    try:
        sys.exit(guard(sys.argv[2:]))
    except subprocess.SubprocessError as exc:
        sys.exit(str(exc))
