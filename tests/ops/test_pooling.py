"""Behind a pgbouncer in transaction mode, where each transaction may get another connection, all goes as without it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from audit.models import AuditEvent
from cerply.accounts.models import User
from certificates.models import Certificate
from gamification.models import Attempt
from ops.models import JobRun
from tests.factories import make_cast, make_token, make_track
from tests.management.watching import eventually
from tests.ops.pooling import MOST, pooler
from tests.ops.serving import Server, server
from tests.processes import environment, run_python

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

CLIENTS = 12


@pytest.fixture
def pooled() -> Iterator[dict[str, str]]:
    with pooler() as variables:
        yield variables


def call(serving: Server, method: str, path: str, token: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    content = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
    request = Request(f"http://127.0.0.1:{serving.port}/api{path}", content, headers, method=method)
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except HTTPError as exc:
        return exc.code, exc.read()


def test_many_clients_write_and_read_and_the_books_are_right(pooled: dict[str, str], tmp_path: Path) -> None:
    cast = make_cast()
    admin, learner = make_token(cast.admin), make_token(cast.learner)
    track = make_track(cast.organization, items=1)
    row = {"trackId": str(track.id), "itemId": str(track.items.all()[0].id), "correct": True}
    hers = f"/learners/{cast.learner.id}"
    paths = [f"{hers}/levels", f"{hers}/badges", "/certificates", "/audit/events?format=ndjson"] * CLIENTS
    keys = [str(uuid4()) for _ in range(40)]
    with server(tmp_path, **pooled) as serving:

        def record(key: str) -> tuple[int, Any]:
            return call(serving, "POST", "/attempts", learner, row, **{"Idempotency-Key": key})

        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(record, [*keys, *keys]))
            reads = list(pool.map(lambda path: call(serving, "GET", path, admin), paths))
    # The same key at the same time is told to wait; else it is told the same.
    assert {status for status, _ in answers} <= {201, 409}
    assert {status for status, _ in reads} == {200}
    assert Attempt.objects.count() == 40
    [level] = {levels for path, (_, levels) in zip(paths, reads, strict=True) if path.endswith("levels")}
    assert json.loads(level)["levels"][0]["correctAttempts"] == 40
    assert Certificate.objects.count() == 1
    assert AuditEvent.objects.filter(type="certificate_issued").count() == 1


def test_the_job_worker_does_its_work(pooled: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "qcluster"],
        env=environment() | {"DJANGO_SETTINGS_MODULE": "tests.ops.worker_settings"} | pooled,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: JobRun.objects.filter(outcome="succeeded").count() >= 2, 120)
    finally:
        process.terminate()
        process.wait(60)
    assert not JobRun.objects.filter(outcome="gave_up").exists()


def test_what_a_transaction_sets_is_gone_with_it(pooled: dict[str, str]) -> None:
    code = """
from django.db import connection, transaction
from cerply.management.schema import LIMIT

def shown():
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        return cursor.fetchone()[0]

with transaction.atomic(), connection.cursor() as cursor:
    cursor.execute(LIMIT)
    assert shown() != "0"
assert [shown() for _ in range(20)] == ["0"] * 20
"""
    done = run_python(code, **pooled)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("is_said", [True, False])
def test_a_long_list_is_read_to_its_end_if_it_is_said_that_there_is_a_pooler(
    pooled: dict[str, str], is_said: bool
) -> None:
    """While somebody else has the connection with which it began, for which a cursor would be needed."""
    make_cast()
    code = """
import os
import psycopg
from cerply.accounts.models import User

people = User.objects.order_by("id").iterator(chunk_size=1)
found = [next(people)]
with psycopg.connect(os.environ["DATABASE_URL"]) as other:
    other.execute("SELECT 1")
    found += people
print(len(found))
"""
    done = run_python(code, **pooled | {"DATABASE_IS_POOLED": str(is_said).lower()})
    assert done.stdout.strip() == (str(User.objects.count()) if is_said else ""), done.stderr
    assert ("InvalidCursorName" in done.stderr) is not is_said


def test_it_is_the_pooler_that_answers(pooled: dict[str, str]) -> None:
    """With more clients than it has connections, each in a transaction of its own."""
    code = f"""
from concurrent.futures import ThreadPoolExecutor
from django.db import connection

def backend(_):
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return cursor.fetchone()[0]
    finally:
        connection.close()

with ThreadPoolExecutor({CLIENTS}) as pool:
    print(len(set(pool.map(backend, range(200)))))
"""
    done = run_python(code, **pooled)
    assert 1 <= int(done.stdout) <= MOST, done.stderr
