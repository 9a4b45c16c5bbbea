import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from cerply.management import supervision
from cerply.management.processes import adopt_orphans
from cerply.management.supervision import Command, PartFailed, Supervisor
from tests.management.watching import eventually, family, is_alive, own_environment

# A main process and a worker of its that does not listen to SIGTERM; both write their numbers.
TWO_PROCESSES = dedent("""
    import os, signal, sys

    if worker := os.fork():
        print(os.getpid(), worker, flush=True)
    else:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pause()
""")


@contextmanager
def guarded(script: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A guard, and the numbers of those it guards."""
    command = [sys.executable, "-m", "cerply.management.guard", sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as guard:
        assert guard.stdout
        yield guard, [int(pid) for pid in guard.stdout.readline().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_guard_that_is_told_to_stop_leaves_nothing(number: signal.Signals) -> None:
    with guarded(TWO_PROCESSES) as (guard, pids):
        guard.send_signal(number)

        assert guard.wait(30) == 0
        assert not any(map(is_alive, pids))


def test_a_guard_ends_the_workers_of_a_main_process_that_was_killed() -> None:
    with guarded(TWO_PROCESSES) as (guard, pids):
        os.kill(pids[0], signal.SIGKILL)

        assert guard.wait(30) == 128 + signal.SIGKILL
        assert not any(map(is_alive, pids))


def test_a_guard_whose_parent_is_killed_leaves_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    parent_script = dedent(f"""
        import os, signal, sys
        from pathlib import Path
        from cerply.management.supervision import Command

        command = [sys.executable, "-c", {TWO_PROCESSES!r}]
        Command("part", command, Path({str(log)!r}), os.environ, worker_death="-").start()
        signal.pause()
    """)
    parent = subprocess.Popen([sys.executable, "-c", parent_script])
    eventually(lambda: log.exists() and log.read_text().endswith("\n"))
    pids = family(parent.pid)
    assert len(pids) == 4

    parent.kill()

    parent.wait(30)
    eventually(lambda: not any(map(is_alive, pids)))


class Supervised:
    """A supervisor with one part, whose main process writes its number, and what it said."""

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        self.supervisor = Supervisor(self.said.append)
        self.log = folder / "part.log"

    def start(self, script: str, *, renewed: bool = False) -> None:
        part = Command(
            "part",
            [sys.executable, "-u", "-c", script],
            self.log,
            own_environment(),
            worker_death="worker died",
            renewed=renewed,
        )
        part.start()
        self.supervisor.parts.append(part)
        self.watch_until(lambda: self.lines())

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    def watch_until(self, question: object) -> None:
        assert callable(question)

        def answer() -> bool:
            self.supervisor.watch()
            return bool(question())

        eventually(answer)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    supervised = Supervised(tmp_path)
    yield supervised
    supervised.supervisor.stop()
    for number, handler in handlers.items():
        signal.signal(number, handler)


WAIT = "import os, signal; print(os.getpid()); signal.pause()"
LOSE_A_WORKER_WHEN_TOLD = dedent("""
    import os, signal

    signal.signal(signal.SIGUSR1, lambda *_: print("worker died"))
    print(os.getpid())
    while True:
        signal.pause()
""")


def test_a_part_that_dies_is_started_again(supervised: Supervised) -> None:
    supervised.start(WAIT)

    os.kill(int(supervised.lines()[0]), signal.SIGKILL)

    supervised.watch_until(lambda: len(supervised.lines()) == 2)
    assert supervised.said == ["The part died, and is started again."]


def test_a_part_that_dies_three_times_in_a_minute_is_given_up_with_its_last_lines(supervised: Supervised) -> None:
    supervised.start("print('what went wrong'); raise SystemExit(1)")

    with pytest.raises(PartFailed, match=r"(?s)The part died 3 times within a minute.*what went wrong"):
        supervised.watch_until(lambda: False)


def test_deaths_that_lie_far_apart_are_no_reason_to_give_up(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "WITHIN_SECONDS", 0)
    supervised.start("print('again')")

    supervised.watch_until(lambda: len(supervised.lines()) > supervision.MOST_DEATHS)


def test_a_worker_that_dies_three_times_counts_too(supervised: Supervised) -> None:
    supervised.start(LOSE_A_WORKER_WHEN_TOLD)
    pid = int(supervised.lines()[0])

    for times in (1, 2):
        os.kill(pid, signal.SIGUSR1)
        supervised.watch_until(lambda times=times: len(supervised.said) == times)
    os.kill(pid, signal.SIGUSR1)

    with pytest.raises(PartFailed, match="The process of the part died 3 times within a minute"):
        supervised.watch_until(lambda: False)
    assert is_alive(pid)


def test_a_part_whose_workers_wait_for_a_dead_one_is_renewed(supervised: Supervised) -> None:
    supervised.start(LOSE_A_WORKER_WHEN_TOLD, renewed=True)
    pid = int(supervised.lines()[0])

    os.kill(pid, signal.SIGUSR1)

    supervised.watch_until(lambda: len(supervised.lines()) == 3)
    assert not is_alive(pid)
    assert supervised.said == ["The process of the part died, and is started again."]


def test_when_the_guard_is_killed_nothing_runs_beside_the_new_one(supervised: Supervised) -> None:
    supervised.start(TWO_PROCESSES)
    part = supervised.supervisor.parts[0]
    assert part.pid
    guard, *pids = family(part.pid)
    # As the demo does: what the guard leaves behind comes to us, and so is ended.
    adopt_orphans()

    os.kill(guard, signal.SIGKILL)

    supervised.watch_until(lambda: len(supervised.lines()) == 2)
    eventually(lambda: not any(map(is_alive, pids)))


def test_an_errand_that_fails_says_why(supervised: Supervised, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such table')"]

    with pytest.raises(PartFailed, match=r"(?s)Migrating failed.*no such table"):
        supervised.supervisor.run_once("Migrating", command, tmp_path / "log", own_environment())


def test_being_told_to_stop_ends_an_errand(supervised: Supervised, tmp_path: Path) -> None:
    os.kill(os.getpid(), signal.SIGTERM)

    supervised.supervisor.run_once("Waiting", [sys.executable, "-c", WAIT], tmp_path / "log", own_environment())

    assert supervised.supervisor.errand
    assert not is_alive(supervised.supervisor.errand.pid)
