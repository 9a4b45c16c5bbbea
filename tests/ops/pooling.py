"""A pgbouncer in transaction mode in front of the database of the test."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.management.watching import eventually
from tests.ops.serving import free_port
from tests.processes import environment

# Connections to the database, however many there are to the pooler: so few that everybody gets everybody's.
MOST = 3


@contextmanager
def pooler() -> Iterator[dict[str, str]]:
    """What a process needs in its environment to use it."""
    if shutil.which("pgbouncer") is None and os.environ.get("CHECKERS") != "required":
        pytest.skip("Without pgbouncer: apt-get install pgbouncer")
    url = urlsplit(environment()["DATABASE_URL"])
    options = {name: values[0] for name, values in parse_qs(url.query).items()}
    socket_folder = Path(options.get("host") or "/var/run/postgresql")
    # It does not run as root, and has to get at the socket.
    owner = socket_folder.stat().st_uid or os.getuid()
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="pooler-"))
    where = f"host={url.hostname or socket_folder} port={url.port or 5432} user={options.get('user') or url.username}"
    ini = folder / "pgbouncer.ini"
    ini.write_text(
        f"[databases]\n* = {where}{f' password={url.password}' if url.password else ''}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = {MOST}\nmax_client_conn = 200\n"
    )
    folder.chmod(0o755)
    if os.getuid() == 0:
        process = subprocess.Popen(["pgbouncer", "--quiet", ini], user=owner, group=owner, extra_groups=[])
    else:
        process = subprocess.Popen(["pgbouncer", "--quiet", ini])
    address = f"postgres://pooled@127.0.0.1:{port}{url.path}"
    try:
        eventually(lambda: _answers(address), 30)
        yield {"DATABASE_URL": address, "DATABASE_IS_POOLED": "true"}
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


def _answers(address: str) -> bool:
    try:
        with psycopg.connect(address, connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False
