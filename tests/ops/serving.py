"""The web server as it is run, on the database of the test."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.management.watching import eventually
from tests.processes import environment

METRICS_TOKEN = "the-metrics-token-of-these-tests-0123456789"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        request = Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except HTTPError as exc:
            return exc.code, exc.read()

    def metrics(self) -> str:
        status, body = self.get("/metrics", Authorization=f"Bearer {METRICS_TOKEN}")
        assert status == 200, body
        return body.decode()

    def is_there(self) -> bool:
        """With all of its workers: one that is still starting does not hear that it is to end."""
        said = self.log.read_text()
        if not all(f"Started worker-{number}" in said for number in (1, 2)):
            return False
        try:
            return self.get("/api/health/live")[0] == 200
        except OSError:
            return False

    def lines(self) -> list[dict[str, object]]:
        """What it has logged: each line is JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def server(folder: Path, **changes: str) -> Iterator[Server]:
    """With two workers."""
    port, log = free_port(), folder / "web.log"
    address = ["--host", "127.0.0.1", "--port", str(port)]
    workers = ["--workers", "2", "--blocking-threads", "1", "--respawn-failed-workers", "--respawn-interval", "1"]
    command = ["cerply.management.web", "cerply.wsgi:application", "--interface", "wsgi", "--no-ws"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, *address, *workers],
            env=environment() | {"METRICS_TOKEN": METRICS_TOKEN, "LOG_JSON": "true"} | changes,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    serving = Server(process, port, log)
    try:
        eventually(serving.is_there, 120)
        yield serving
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()
