"""Metrics and logs of the real web server: right whichever process answers, and whichever of them is killed."""

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cerply.management.processes import children_of
from tests.management.watching import eventually
from tests.ops.serving import Server, server

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

COUNTED = re.compile(r'cerply_http_requests_total\{method="GET",route="/api/version",status="200"\} ([0-9.]+)')


def counted(serving: Server) -> float:
    found = COUNTED.search(serving.metrics())
    return float(found[1]) if found else 0.0


def ask(serving: Server, times: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: serving.get("/api/version")[0], range(times)))
    assert set(answers) == {200}


def test_whatever_process_answers_it_tells_of_all_of_them(tmp_path: Path) -> None:
    with server(tmp_path) as serving:
        ask(serving, 200)
        assert {counted(serving) for _ in range(20)} == {200}
        before = set(children_of(serving.process.pid))
        os.kill(max(before), signal.SIGKILL)
        # One that is told to stop while it starts does not hear it.
        eventually(lambda: serving.log.read_text().count("Started worker-") == 3, 120)
        ask(serving, 100)
        assert {counted(serving) for _ in range(20)} == {300}
        assert serving.get("/metrics")[0] == 401
    lines = serving.lines()
    requests = [line for line in lines if line["logger"] == "requests" and line["route"] == "/api/version"]
    assert len(requests) == 300
    assert any("Starting granian" in str(line["event"]) for line in lines)
