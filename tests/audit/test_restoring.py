"""Evidence that was dumped and restored: it proves the same in another cluster; who has a head sees an older dump."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from audit.findings import Kind
from audit.heads import Head
from audit.models import AuditEvent, UnsealedEvent
from audit.partitions import create_ahead
from audit.sealing import seal
from audit.verifying import verify
from cerply.management.postgres import DATABASE, SUPERUSER, Postgres, binaries
from tests.audit.evidence import OURS, newest, only, record_and_seal, record_some

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not (binaries() / "pg_dump").exists(), reason="pg_dump is not here."),
]


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return tmp_path / "dump"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Another cluster, whose transactions have ids that count from the beginning; the connection is put back."""
    before = dict(connection.settings_dict)
    with Postgres(tmp_path / "elsewhere", durable=False) as server:
        yield {"HOST": str(server.sockets), "NAME": DATABASE, "USER": SUPERUSER}
        connection.close()
        connection.settings_dict.update(before)


def call(name: str, *arguments: str) -> None:
    known = connection.get_connection_params()
    names = {name: known[name] for name in ("host", "port", "user", "password", "dbname") if name in known}
    command = [str(binaries() / name), *arguments, f"--dbname={make_conninfo('', **names)}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def take(dump: Path) -> None:
    call("pg_dump", "--format=custom", f"--file={dump}")


def put_back(dump: Path, elsewhere: dict[str, Any]) -> None:
    connection.close()
    connection.settings_dict.update(elsewhere)
    call("pg_restore", "--exit-on-error", "--no-owner", str(dump))
    create_ahead()


def test_a_restored_database_proves_what_it_proved_and_its_chain_goes_on(dump: Path, elsewhere: dict[str, Any]) -> None:
    sealed, waiting = record_and_seal(3), record_some(2)
    head = Head.of(newest())
    take(dump)
    put_back(dump, elsewhere)
    report = verify(known=[head])
    assert (report.said, report.events, report.waiting) == ([], 4, 2)
    assert set(UnsealedEvent.objects.values_list("event_id", flat=True)) == set(waiting)
    record_some(1)
    assert seal() == "Sealed 3 audit events in 1 segments."
    assert (newest().number, newest().total) == (2, 6)
    assert AuditEvent.objects.filter(id__in=sealed).count() == 3
    assert verify(known=[head]).said == []


def test_an_older_backup_is_seen_by_who_has_a_head(dump: Path, elsewhere: dict[str, Any]) -> None:
    record_and_seal(2)
    older = Head.of(newest())
    take(dump)
    record_and_seal(1)
    newer = Head.of(newest())
    put_back(dump, elsewhere)
    assert verify(known=[older]).is_good
    assert "an older backup is in its place" in only(Kind.HEAD, known=[newer])[0]
    record_and_seal(1)
    assert Head.of(newest()).number == newer.number
    assert f"head {newer} is another one now" in only(Kind.HEAD, known=[newer])[0]
    assert newest().organization_id == OURS
