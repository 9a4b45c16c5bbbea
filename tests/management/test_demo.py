"""The whole demo, in real processes, killed in every way that it says it survives."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from tests.management.watching import command_line, eventually, family, is_alive, own_environment

pytestmark = pytest.mark.slow

START_SECONDS = 180


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Demo:
    """A demo that was started in a folder, and what it says."""

    def __init__(self, folder: Path, *arguments: str, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.output = folder.parent / f"{folder.name}-{self.port}.out"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cerply.management.demo", *arguments],
                env=own_environment(PORT=str(self.port), DATA_DIR=str(folder)),
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        eventually(lambda: "Cerply is ready" in self.said or self.process.poll() is not None, START_SECONDS)
        assert self.process.poll() is None, self.said

    def wait_for_end(self) -> tuple[int, str]:
        """Exit code, and what it said."""
        return self.process.wait(60), self.said

    def is_ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/api/health/ready", timeout=5) as answer:
                return json.load(answer)["ok"] is True
        except (URLError, OSError):
            return False

    def worker_age(self) -> float:
        with urlopen(f"http://127.0.0.1:{self.port}/api/health/ready", timeout=5) as answer:
            return float(json.load(answer)["worker"]["ageSeconds"])

    def processes(self, *words: str) -> list[int]:
        """Those of the demo whose command line has these words, parents first; guards are not among them."""
        lines = {pid: command_line(pid) for pid in family(self.process.pid)}
        return [pid for pid, line in lines.items() if all(word in line for word in words) and ".guard" not in line]

    def kill(self, pid: int, *, says: str) -> None:
        """Kills it, and waits until the demo says so once more and is ready again."""
        times = self.said.count(says)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: self.said.count(says) > times)
        eventually(self.is_ready)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a demo that ran before."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    demo = Demo(folder)
    demo.wait_until_ready()
    everybody = family(demo.process.pid)
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait_for_end()[0] == 0
    assert not any(map(is_alive, everybody))
    return folder


@pytest.fixture
def demo(folder: Path) -> Iterator[Demo]:
    demo = Demo(folder)
    try:
        demo.wait_until_ready()
        yield demo
    finally:
        demo.process.send_signal(signal.SIGTERM)
        demo.process.wait(60)


def test_every_line_that_it_says_to_try_works(demo: Demo) -> None:
    lines = demo.said.partition("Try:")[2].replace("\\\n", " ").strip().splitlines()

    assert len(lines) >= 5
    for line in lines:
        _, *arguments = shlex.split(line)
        headers = dict(value.split(": ") for flag, value in zip(arguments, arguments[1:], strict=False) if flag == "-H")
        body = next(
            (value.encode() for flag, value in zip(arguments, arguments[1:], strict=False) if flag == "-d"), None
        )
        request = Request(arguments[-1], data=body, headers=headers)  # noqa: S310 - an http address
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - an http address
            assert answer.status in {200, 201}, line
            assert json.load(answer)


def test_another_demo_on_the_same_folder_or_port_says_so_in_one_line(demo: Demo, tmp_path: Path) -> None:
    code, said = Demo(demo.folder).wait_for_end()
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith(f"A demo runs on {demo.folder}.")

    code, said = Demo(demo.folder, "--reset").wait_for_end()
    assert code == 1
    assert said.startswith(f"A demo runs on {demo.folder}.")

    code, said = Demo(tmp_path / "data", port=demo.port).wait_for_end()
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith(f"Port {demo.port} is in use.")


def test_whatever_dies_is_started_again(demo: Demo) -> None:
    database = demo.processes("/postgres", " -D ")[0]
    demo.kill(database, says="The database died")

    main, worker, *_ = demo.processes("cerply.management.web")
    demo.kill(worker, says="The process of the web server died")
    demo.kill(main, says="The web server died")

    main, *_, worker = demo.processes("qcluster")
    demo.kill(worker, says="The process of the job worker died")
    # All of it is renewed, for the others may wait for the dead one.
    eventually(lambda: demo.processes("qcluster")[:1] not in ([], [main]))
    demo.kill(demo.processes("qcluster")[0], says="The job worker died")

    died = time.monotonic()
    eventually(lambda: demo.worker_age() < time.monotonic() - died)
    assert len(demo.processes("cerply.management.web")) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_its_end_leaves_nothing(demo: Demo, number: signal.Signals) -> None:
    everybody = family(demo.process.pid)
    assert len(everybody) > 10

    demo.process.send_signal(number)

    assert demo.wait_for_end()[0] == (-number if number == signal.SIGKILL else 0)
    eventually(lambda: not any(map(is_alive, everybody)))


def test_what_dies_three_times_in_a_minute_stops_it(demo: Demo) -> None:
    everybody = family(demo.process.pid)
    for _ in range(2):
        demo.kill(demo.processes("cerply.management.web")[0], says="The web server died")

    os.kill(demo.processes("cerply.management.web")[0], signal.SIGKILL)

    code, said = demo.wait_for_end()
    assert code == 1
    assert "The web server died 3 times within a minute" in said
    assert "Listening at" in said.partition("3 times")[2]
    eventually(lambda: not any(map(is_alive, everybody)))


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "diary.txt").write_text("dear diary")

    code, said = Demo(tmp_path).wait_for_end()
    assert code == 1
    assert said == f"{tmp_path} is not empty, and not a demo's. Choose another folder: DATA_DIR=… make demo\n"

    assert Demo(tmp_path, "--reset").wait_for_end()[0] == 0
    assert (tmp_path / "logs" / "diary.txt").exists()


def test_starting_over_forgets_the_data_and_nothing_else(tmp_path: Path) -> None:
    for name in ("postgres", "media", "logs", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / "demo.lock").touch()

    code, said = Demo(tmp_path, "--reset").wait_for_end()

    assert (code, said) == (0, f"The demo in {tmp_path} starts over.\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.lock", "mine"]


def test_a_port_that_is_none_is_refused(tmp_path: Path) -> None:
    code, said = Demo(tmp_path / "data", port=70000).wait_for_end()

    assert (code, said) == (2, "PORT must be a number from 1 to 65535, not '70000'.\n")
