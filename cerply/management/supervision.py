"""Parts of a running service: started, watched, started again when they die, stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cerply.management.postgres import Postgres
from cerply.management.processes import spawn

MOST_DEATHS = 3
WITHIN_SECONDS = 60
STOP_SECONDS = 15
LINES_SHOWN = 20


class PartFailed(Exception):
    """It died too often, or in the one thing that it had to do; with its last lines."""


def last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LINES_SHOWN:]) if log.exists() else ""


class Part:
    """A command that should always run. Its output goes to its log."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.command = command
        self.log = log
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        guarded = [sys.executable, "-m", "cerply.management.guard", "--", *self.command]
        with self.log.open("ab") as output:
            self.process = spawn(guarded, environment=self.environment, output=output, death_signal=signal.SIGTERM)

    def is_dead(self) -> bool:
        return self.process is not None and self.process.poll() is not None

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

    def start(self) -> None:
        self.server.start()

    def is_dead(self) -> bool:
        return self.server.process is not None and self.server.process.poll() is not None

    def stop(self) -> None:
        self.server.close()


class Supervisor:
    """Keeps parts running until it is told to stop."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.parts: list[Part | Database] = []
        self.deaths: dict[str, deque[float]] = {}
        self.stopping = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: object) -> None:
        self.stopping = True

    def add(self, part: Part | Database) -> None:
        """It runs already, or is started now."""
        self.parts.append(part)
        self.deaths[part.name] = deque(maxlen=MOST_DEATHS)
        if isinstance(part, Part):
            part.start()

    def watch(self) -> None:
        """Starts again what has died; raises `PartFailed` for what dies too often."""
        for part in self.parts:
            if not part.is_dead() or self.stopping:
                continue
            deaths = self.deaths[part.name]
            deaths.append(time.monotonic())
            if len(deaths) == MOST_DEATHS and deaths[-1] - deaths[0] < WITHIN_SECONDS:
                raise PartFailed(
                    f"The {part.name} died {MOST_DEATHS} times within a minute. The end of {part.log}:\n"
                    f"{last_lines(part.log)}"
                )
            self.say(f"The {part.name} died, and is started again.")
            part.start()

    def stop(self) -> None:
        """In the reverse order of their start."""
        for part in reversed(self.parts):
            part.stop()

    def run_once(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        """Something that must succeed before the parts can start; the parts that run are watched meanwhile."""
        with log.open("ab") as output:
            process = spawn(command, environment=environment, output=output)
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
