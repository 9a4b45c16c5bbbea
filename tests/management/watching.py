"""Waiting for processes, and seeing which there are."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from cerply.management.processes import children_of


def eventually(question: Callable[[], object], seconds: float = 30) -> None:
    """Returns as soon as the answer is yes; fails when it is not in time."""
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Not when it has ended and only nobody has asked how."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def family(pid: int) -> list[int]:
    """The process, its children, and theirs, parents first."""
    found = [pid]
    for member in found:
        found.extend(children_of(member))
    return found


def command_line(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def own_environment(**changes: str) -> dict[str, str]:
    """That of a shell in which neither this run of the tests nor a database is known."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG", "VIRTUAL_ENV") if name in os.environ}
    return kept | changes
