"""A Redis of the tests' own, on a socket."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.management.watching import eventually


class Bell:
    def __init__(self, folder: Path) -> None:
        # A socket's path may have 107 characters.
        self.socket = folder / "redis"
        self.url = f"unix://{self.socket}"
        self.client = Redis.from_url(self.url)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        eventually(self.answers)

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except RedisError:
            return False

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()


@contextmanager
def redis() -> Iterator[Bell]:
    if shutil.which("redis-server") is None and os.environ.get("CHECKERS") != "required":
        pytest.skip("Redis is not installed")
    with tempfile.TemporaryDirectory() as folder:
        bell = Bell(Path(folder))
        bell.start()
        try:
            yield bell
        finally:
            bell.client.close()
            bell.kill()
