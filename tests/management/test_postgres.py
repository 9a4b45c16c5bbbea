import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from cerply.management import postgres
from cerply.management.postgres import Postgres, PostgresError
from cerply.management.unprivileged import DISGUISES, NOBODY, Disguise, become_nobody_who_may_enter
from tests.management.watching import is_alive, own_environment

pytestmark = pytest.mark.slow

CONNECT = "import os, psycopg; connection = psycopg.connect(os.environ['DATABASE_URL'], autocommit=True); "
MAKE_AND_WAIT = CONNECT + (
    "connection.execute('CREATE TABLE kept (id int)'); print('made', flush=True); import signal; signal.pause()"
)


def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cerply.management.postgres", *arguments],
        env=own_environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Exit code, output, and errors."""
    process = start(*arguments, **variables)
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def tables(server: Postgres) -> list[str]:
    with psycopg.connect(server.url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return [name for (name,) in rows.fetchall()]


def postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def test_a_command_has_a_database_that_is_gone_afterwards() -> None:
    script = CONNECT + "print(connection.execute('SHOW data_directory').fetchone()[0]); raise SystemExit(7)"

    code, output, errors = run("--ephemeral", "--", sys.executable, "-c", script)

    assert (code, errors) == (7, "")
    assert not Path(output.strip()).parent.exists()


def test_the_database_speaks_utf8_and_utc() -> None:
    script = (
        CONNECT
        + "print(*[connection.execute(f'SHOW {name}').fetchone()[0] for name in ('server_encoding', 'timezone')])"
    )

    assert run("--ephemeral", "--", sys.executable, "-c", script)[1] == "UTF8 UTC\n"


def test_a_command_that_a_signal_killed_is_told_as_shells_do() -> None:
    assert run("--ephemeral", "--", "/bin/sh", "-c", "kill -9 $$")[0] == 128 + 9


def test_a_command_that_is_not_there_is_named() -> None:
    code, _, errors = run("--ephemeral", "--", "no-such-command")

    assert code == 127
    assert "no-such-command" in errors


def test_a_database_that_is_named_is_used_and_none_started(tmp_path: Path) -> None:
    arguments = ("--data-dir", str(tmp_path / "data"), "--", "/bin/sh", "-c", "echo $DATABASE_URL")

    assert run(*arguments, DATABASE_URL="postgres://db.invalid/cerply") == (0, "postgres://db.invalid/cerply\n", "")
    assert not (tmp_path / "data").exists()


def test_being_told_to_stop_stops_the_command_and_the_server(tmp_path: Path) -> None:
    process = start("--data-dir", str(tmp_path), "--", sys.executable, "-c", MAKE_AND_WAIT)
    assert process.stdout
    assert process.stdout.readline() == "made\n"
    server = postmaster(tmp_path / "postgres")

    process.terminate()

    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert not is_alive(server)


def test_the_server_dies_with_the_one_who_started_it_and_keeps_its_data(tmp_path: Path) -> None:
    process = start("--data-dir", str(tmp_path), "--", sys.executable, "-c", MAKE_AND_WAIT)
    assert process.stdout
    assert process.stdout.readline() == "made\n"
    first = postmaster(tmp_path / "postgres")

    process.kill()

    process.communicate(timeout=30)
    with Postgres(tmp_path / "postgres") as server:
        assert not is_alive(first)
        assert tables(server) == ["kept"]


def test_a_server_that_was_killed_starts_again(tmp_path: Path) -> None:
    with Postgres(tmp_path) as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept (id int)")
        assert server.process
        server.process.kill()
        server.process.wait()

        server.start()

        assert tables(server) == ["kept"]


def test_a_folder_serves_one_at_a_time(tmp_path: Path) -> None:
    with Postgres(tmp_path / "postgres"):
        code, _, errors = run("--data-dir", str(tmp_path), "--", "true")

    assert code == 1
    assert errors == f"{tmp_path / 'postgres'} is in use by another process. Stop it, or set DATA_DIR.\n"


def test_making_the_folder_is_repeated_when_it_was_interrupted(tmp_path: Path) -> None:
    (tmp_path / "unfinished" / "base").mkdir(parents=True)
    (tmp_path / "unfinished" / "PG_VERSION").write_text("18\n")

    with Postgres(tmp_path) as server:
        assert tables(server) == []

    assert not (tmp_path / "unfinished").exists()


def test_what_a_dead_server_left_does_not_matter(tmp_path: Path) -> None:
    with Postgres(tmp_path):
        pass
    (tmp_path / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{tmp_path / 'data'}\n0\n5432\n\n\n\nready\n")

    with Postgres(tmp_path) as server:
        assert tables(server) == []


def test_a_folder_with_a_long_name_has_its_socket_elsewhere(tmp_path: Path) -> None:
    with Postgres(tmp_path / ("very-" * 20) / "path with spaces & ümlauts") as server:
        sockets = server.sockets
        assert tables(server) == []

    assert tmp_path not in sockets.parents
    assert not sockets.exists()


def test_nobody_else_may_enter_the_folder(tmp_path: Path) -> None:
    with Postgres(tmp_path / "postgres") as server:
        assert server.sockets.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root has to be somebody else")
@pytest.mark.parametrize("disguise", DISGUISES, ids=lambda disguise: disguise.put_on.__name__)
def test_root_runs_it_as_somebody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, disguise: Disguise) -> None:
    monkeypatch.setattr(postgres, "DISGUISES", (disguise,))
    try:
        with Postgres(tmp_path) as server:
            assert tables(server) == []
    except PostgresError as exc:
        if "does not run as root" not in str(exc):
            raise
        pytest.skip("not where these folders lie, or not in this container")


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root has to be somebody else")
def test_root_runs_it_out_of_a_closed_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in /root, where a container forbids namespaces: the programs look by access(2) whether they may run."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = postgres.binaries().parents[1]
    for folder in package.parent.glob(f"{package.name}*"):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    programs = closed / package.name / "pginstall" / "bin"
    monkeypatch.setattr(postgres, "binaries", lambda: programs)
    monkeypatch.setattr(postgres, "DISGUISES", (Disguise(become_nobody_who_may_enter, NOBODY),))
    with Postgres(closed / "postgres") as server:
        assert tables(server) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root has to be somebody else")
def test_root_is_told_when_there_is_no_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgres, "DISGUISES", ())

    with pytest.raises(PostgresError, match="Run this as an ordinary user, or set DATABASE_URL"):
        Postgres(tmp_path).__enter__()


def test_forgotten_folders_are_removed_and_those_in_use_are_not(tmp_path: Path) -> None:
    forgotten, young, used = (tmp_path / f"cerply-pg-{name}" for name in ("forgotten", "young", "used"))
    for folder in (forgotten, young, used):
        folder.mkdir()
        (folder / "lock").touch()
    for folder in (forgotten, used):
        os.utime(folder, (0, 0))

    with (used / "lock").open() as file:
        assert postgres.lock(file)
        postgres.remove_forgotten(tmp_path)

    assert [folder.exists() for folder in (forgotten, young, used)] == [False, True, True]
