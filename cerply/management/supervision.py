"""Parts of a running service: started, watched, started again when they die, stopped together."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from cerply.management.postgres import Postgres
from cerply.management.processes import children_of, spawn

MOST_DEATHS = 3
WITHIN_SECONDS = 60
AFTERMATH_SECONDS = 5
STOP_SECONDS = 15
LINES_SHOWN = 20


class PartFailed(Exception):
    """It died too often, or in the one thing that it had to do; with its last lines."""


class Part(Protocol):
    """Something that should always run."""

    name: str
    log: Path

    @property
    def pid(self) -> int | None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def deaths(self) -> list[str]:
        """What of it has died since the last look: itself, which must be started then, or a worker of its."""


def last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LINES_SHOWN:]) if log.exists() else ""


class Command:
    """A command, with its output in a log.

    ``worker_death`` is what it writes there when a worker of its died that it has replaced itself. If it is
    ``renewed`` then, it is started anew in good order: its other workers may wait for what the dead one had locked.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        *,
        worker_death: str,
        renewed: bool = False,
    ) -> None:
        self.name = name
        self.command = command
        self.log = log
        self.environment = environment
        self.worker_death = re.compile(worker_death)
        self.renewed = renewed
        self.process: subprocess.Popen[bytes] | None = None
        self._renewing = False
        self._read_to = 0

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def start(self) -> None:
        guarded = [sys.executable, "-m", "cerply.management.guard", *self.command]
        with self.log.open("ab") as output:
            self._read_to = output.tell()
            self.process = spawn(guarded, environment=self.environment, output=output, death_signal=signal.SIGTERM)

    def deaths(self) -> list[str]:
        if self.process is None:
            return []
        if self.process.poll() is not None:
            if not self._renewing:
                return [self.name]
            self._renewing = False
            self.start()
            return []
        died = [f"process of the {self.name}" for line in self._new_lines() if self.worker_death.search(line)]
        if died and self.renewed and not self._renewing:
            self._renewing = True
            self.process.send_signal(signal.SIGTERM)
        return died

    def _new_lines(self) -> list[str]:
        with self.log.open("rb") as log:
            log.seek(self._read_to)
            text, newline, _ = log.read().rpartition(b"\n")
        self._read_to += len(text) + len(newline)
        return text.decode(errors="replace").splitlines()

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Database:
    """Our own PostgreSQL, as a part among others."""

    name = "database"

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.log = server.log

    @property
    def pid(self) -> int | None:
        return self.server.process.pid if self.server.process else None

    def start(self) -> None:
        self.server.start()

    def deaths(self) -> list[str]:
        return [self.name] if self.server.process is not None and self.server.process.poll() is not None else []

    def stop(self) -> None:
        self.server.close()


class Supervisor:
    """Keeps parts running until it is told to stop."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.parts: list[Part] = []
        self.died: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MOST_DEATHS))
        self.errand: subprocess.Popen[bytes] | None = None
        self.stopping = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: object) -> None:
        self.stopping = True

    def watch(self) -> None:
        """Starts again what has died; raises `PartFailed` for what dies too often."""
        for part in self.parts:
            if self.stopping:
                return
            for name in part.deaths():
                self._count(name, part)
                self.say(f"The {name} died, and is started again.")
                if name == part.name:
                    self._end_orphans()
                    part.start()

    def _count(self, name: str, part: Part) -> None:
        now = time.monotonic()
        if self._is_aftermath(part, now):
            return
        died = self.died[name]
        died.append(now)
        if len(died) == MOST_DEATHS and died[-1] - died[0] < WITHIN_SECONDS:
            raise PartFailed(
                f"The {name} died {MOST_DEATHS} times within a minute. The end of {part.log}:\n{last_lines(part.log)}"
            )

    def _is_aftermath(self, part: Part, now: float) -> bool:
        """Whether a part that was started before this one, which may need it, has died just now."""
        before = self.parts[: self.parts.index(part)]
        return any(now - when < AFTERMATH_SECONDS for other in before for when in self.died[other.name])

    def _end_orphans(self) -> None:
        """Kills what the dead have left to us, their next of kin; and what those leave, when they are dead as well."""
        ours = {part.pid for part in self.parts} | {self.errand.pid if self.errand else None}
        while orphans := set(children_of(os.getpid())) - ours:
            for pid in orphans:
                with suppress(ProcessLookupError, ChildProcessError):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)

    def stop(self) -> None:
        """In the reverse order of their start."""
        for part in reversed(self.parts):
            part.stop()
        self._end_orphans()

    def run_once(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        """Something that must succeed before the parts can start; the parts that run are watched meanwhile."""
        with log.open("ab") as output:
            self.errand = process = spawn(command, environment=environment, output=output)
        while process.poll() is None:
            if self.stopping:
                process.terminate()
                process.wait()
                return
            self.watch()
            time.sleep(0.05)
        if process.returncode:
            raise PartFailed(f"{name} failed. The end of {log}:\n{last_lines(log)}")


def environment_with(changes: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    """Ours, with these changes, and with these defaults where it says nothing."""
    return {**defaults, **{name: value for name, value in os.environ.items() if value}, **changes}
