"""``make demo``: the whole service on this machine, with a database of its own and people to look at.

Honours ``PORT``, ``DATA_DIR`` and ``DATABASE_URL``. Ctrl-C or SIGTERM stops all of it.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from urllib.request import urlopen

from cerply.management.postgres import Postgres, PostgresError, lock
from cerply.management.processes import adopt_orphans, die_with_parent
from cerply.management.supervision import Command, Database, PartFailed, Supervisor, environment_with

CHECKOUT = Path(__file__).resolve().parents[2]
DEFAULT_FOLDER = CHECKOUT / ".data"
READY_SECONDS = 120
# What a demo makes in its folder; the lock also marks the folder as one of ours.
OURS = ("postgres", "media", "logs")
LOCK = "demo.lock"
DEFAULTS = {
    "CERPLY_ENV": "development",
    "ADMIN_TOKEN": "dev-admin-token-12345",
    "FF_GAMIFICATION_V1": "true",
    "FF_CERTIFICATES_V1": "true",
    "FF_MANAGER_NOTIFICATIONS_V1": "true",
}
WHERE_TO_LOOK = """
Cerply is ready. Stop it with Ctrl-C.

  API           {url}/api            its documentation: {url}/api/docs
  Admin         {url}/admin/         staff@cerply.example / demo-staff-password
  API tokens    demo-learner-token   demo-manager-token   demo-admin-token   demo-newcomer-token
                demo-other-learner-token   demo-other-manager-token   demo-other-admin-token
  Admin token   X-Admin-Token: {admin_token}
  Logs          {logs}

Try:

  curl -s -H "Authorization: Bearer demo-learner-token" {url}/api/learners/{learner}/levels
  curl -s -H "Authorization: Bearer demo-learner-token" -H "Content-Type: application/json" \\
    -d '{{"trackId": "{track}", "itemId": "{item}", "correct": true, "responseMs": 3200}}' {url}/api/attempts
  curl -s -H "Authorization: Bearer demo-learner-token" {url}/api/learners/{learner}/certificates
  curl -s -H "Authorization: Bearer demo-manager-token" "{url}/api/manager/notifications?unreadOnly=true"
  curl -s -H "Authorization: Bearer demo-manager-token" {url}/api/at-risk
  curl -s {url}/api/ops/kpis
  curl -s {url}/api/health/ready
"""


class Busy(Exception):
    """Somebody else is at it."""


class Demo:
    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.logs = self.folder / "logs"

    def run(self) -> None:
        """Until it is told to stop, or a part dies too often."""
        with Folder(self.folder):
            self._check_port()
            forget(self.logs)
            self.logs.mkdir()
            supervisor = Supervisor(say)
            try:
                self._start(supervisor)
                while not supervisor.stopping:
                    supervisor.watch()
                    time.sleep(0.1)
            finally:
                say("Stopping.")
                supervisor.stop()

    def _start(self, supervisor: Supervisor) -> None:
        changes = {
            "PORT": str(self.port),
            "DJANGO_SETTINGS_MODULE": "cerply.settings",
            "PYTHONPATH": str(CHECKOUT),
        }
        if not os.environ.get("DATABASE_URL"):
            say("Starting the database.")
            server = Postgres(self.folder / "postgres").__enter__()
            supervisor.parts.append(Database(server))
            changes["DATABASE_URL"] = server.url
        environment = environment_with(
            changes, DEFAULTS | {"PUBLIC_URL": self.url, "MEDIA_ROOT": str(self.folder / "media")}
        )
        manage = [sys.executable, str(CHECKOUT / "manage.py")]
        for doing, command in (("Migrating", "migrate"), ("Loading the demo data", "load_demo")):
            if not supervisor.stopping:
                say(f"{doing}.")
                supervisor.run_once(doing, [*manage, command], self.logs / f"{command}.log", environment)
        if supervisor.stopping:
            return
        say("Starting the web server and the job worker.")
        self._check_port()
        parts = (
            Command(
                "job worker",
                [*manage, "qcluster"],
                self.logs / "worker.log",
                environment,
                worker_death=r"reincarnated \w+ \S+ after (sudden )?death",
                renewed=True,
            ),
            Command(
                "web server",
                self._web_command(),
                self.logs / "web.log",
                environment,
                worker_death=r"Unexpected exit from worker",
            ),
        )
        for part in parts:
            part.start()
            supervisor.parts.append(part)
        self._wait_until_ready(supervisor)
        if not supervisor.stopping:
            where = WHERE_TO_LOOK.format(
                url=self.url,
                logs=self.logs,
                learner="00000000-0000-0000-0000-000000000001",
                track="00000000-0000-0000-0000-000000000101",
                item="00000000-0000-0000-0000-000000010101",
                admin_token=environment["ADMIN_TOKEN"],
            )
            say(where)

    def _web_command(self) -> list[str]:
        return [
            *(
                sys.executable,
                "-m",
                "cerply.management.web",
                "cerply.wsgi:application",
                "--interface",
                "wsgi",
                "--no-ws",
            ),
            *("--host", "127.0.0.1", "--port", str(self.port), "--workers", "2", "--blocking-threads", "1"),
            *("--respawn-failed-workers", "--respawn-interval", "1"),
        ]

    def _wait_until_ready(self, supervisor: Supervisor) -> None:
        began = time.monotonic()
        while not supervisor.stopping:
            supervisor.watch()
            if self._is_ready(time.monotonic() - began):
                return
            if time.monotonic() > began + READY_SECONDS:
                raise PartFailed(f"Not ready after {READY_SECONDS} seconds; see {self.logs}.")
            time.sleep(0.1)

    def _is_ready(self, running_seconds: float) -> bool:
        """Whether the web server says so, and a worker has shown itself since it was started."""
        try:
            with urlopen(f"{self.url}/api/health/ready", timeout=5) as answer:  # noqa: S310 - our own http address
                body = json.load(answer)
        except (OSError, ValueError):
            return False
        age = body["worker"]["ageSeconds"]
        return body["ok"] is True and age is not None and age < running_seconds

    def _check_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                raise Busy(f"Port {self.port} is in use. Choose another one: PORT=8081 make demo") from None


class Folder:
    """The demo's data. One demo at a time has it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not self.is_ours() and any(self.path.iterdir()):
                raise Busy(f"{self.path} is not empty, and not a demo's. Choose another folder: DATA_DIR=… make demo")
            self._lock = (self.path / LOCK).open("w")
        except OSError as exc:
            raise Busy(f"{self.path} cannot be used: {exc.strerror}. Set DATA_DIR to another one.") from None
        if not lock(self._lock):
            raise Busy(f"A demo runs on {self.path}. Stop it, or choose another folder: DATA_DIR=… make demo")

    def is_ours(self) -> bool:
        return self.path == DEFAULT_FOLDER or (self.path / LOCK).exists()

    def __exit__(self, *unused: object) -> None:
        self._lock.close()

    def reset(self) -> None:
        """Forgets the data: what the demo made in the folder, and nothing else."""
        if not (self.path / LOCK).exists():
            say(f"There is no demo in {self.path}.")
            return
        with self:
            for name in OURS:
                forget(self.path / name)
        say(f"The demo in {self.path} starts over.")


def forget(folder: Path) -> None:
    """Removes it, or says who can."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError:
        raise Busy(f"{folder} belongs to another user, who ran the demo here. Remove it: sudo rm -r {folder}") from None


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description="Runs the whole service with demo data.")
    parser.add_argument("--reset", action="store_true", help="forget the data, and start nothing")
    options = parser.parse_args()
    folder = Path(os.environ.get("DATA_DIR") or DEFAULT_FOLDER).resolve()
    port = os.environ.get("PORT") or "8080"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        say(f"PORT must be a number from 1 to 65535, not {port!r}.")
        return 2
    if "MAKELEVEL" in os.environ:
        # Killing `make` ends us too; another parent may well end before us.
        die_with_parent(signal.SIGTERM)
    adopt_orphans()
    try:
        if options.reset:
            Folder(folder).reset()
        else:
            Demo(folder, int(port)).run()
    except (Busy, PartFailed, PostgresError) as exc:
        print(exc, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
