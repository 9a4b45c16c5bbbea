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
PROC = Path("/proc")
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
    terminal: bool = False,
    keep_open: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """A child that dies with us.

    It has no input, and a process group of its own, so that the terminal's Ctrl-C reaches us alone; with ``terminal``
    it shares both with us. Of our open files it has those of ``keep_open``.
    """
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
        stdin=None if terminal else subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        process_group=None if terminal else 0,
        preexec_fn=prepare,
        pass_fds=keep_open,
        cwd=cwd,
    )


def children_of(pid: int) -> list[int]:
    """Those that live; the dead that nobody has waited for are not among them."""
    found = []
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == pid and state not in "ZX":
                found.append(int(entry.name))
    return found
