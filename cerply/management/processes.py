"""Child processes that end when we do, however we end. Linux has a call for it; elsewhere our own care must do."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """From now on this process gets the signal when its parent dies. To be called between fork and exec."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> None:
    """Grandchildren whose parent dies become our children, so that we can end them."""
    if _libc is not None:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)


def spawn(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: IO[bytes] | int | None = None,
    death_signal: int = signal.SIGKILL,
    before_exec: Callable[[], None] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """A child in a process group of its own (the terminal's Ctrl-C does not reach it), that dies with us."""
    parent = os.getpid()

    def prepare() -> None:
        if before_exec:
            before_exec()
        # Last, for a change of user forgets it.
        die_with_parent(death_signal)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        process_group=0,
        preexec_fn=prepare,  # noqa: PLW1509 - we have no threads when we spawn
        cwd=cwd,
    )


def descendants(pid: int) -> list[int]:
    """Children, and theirs, from /proc; the process itself is not among them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.append(child)
            waiting.append(child)
    return found
