"""A service that was started as a new user would start it, or the one that ``CERPLY_URL`` names."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.acceptance.client import Service

CHECKOUT = Path(__file__).resolve().parents[2]
READY_SECONDS = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningDemo:
    """``make demo`` without make, on a port and in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in {"DATABASE_URL", "CERPLY_ENV", "PUBLIC_URL", "MEDIA_ROOT", "DJANGO_SETTINGS_MODULE"}
        }
        self.output = (folder / "output.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cerply.management.demo"],
            cwd=CHECKOUT,
            env=environment | {"PORT": str(self.port), "DATA_DIR": str(folder / "data")},
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            said = (self.folder / "output.log").read_text()
            assert self.process.poll() is None, said
            if "ready" in said and self.is_ready():
                return
            time.sleep(0.1)
        raise AssertionError(f"Not ready after {READY_SECONDS} seconds: {said}")

    def is_ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/api/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.output.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    # A short path, for a socket lies in it that everybody may reach.
    folder = tmp_path_factory.mktemp("demo")
    running = RunningDemo(folder)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def service(request: pytest.FixtureRequest) -> Service:
    url = os.environ.get("CERPLY_URL")
    return Service(url or request.getfixturevalue("demo").url)
