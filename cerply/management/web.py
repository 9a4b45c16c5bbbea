"""``python -m cerply.management.web``: granian's command line, whose workers end when its main process is killed.

They count requests in files that all of them share, in memory where there is a place for that. Where Cerply logs JSON,
the server's own lines are JSON too.
"""

import json
import os
import tempfile
from pathlib import Path

import granian.cli

from cerply.env import Env
from ops import orphans

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
FORMATTER = {"()": "cerply.logs.json_formatter"}


def main() -> None:
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="cerply-metrics-", dir=place) as folder:
        # It is read where the counters are made, and so before anything of Django's is.
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
        env = Env(os.environ)
        if not env.is_relaxed or env.flag("LOG_JSON"):
            config = Path(folder) / "log.json"
            config.write_text(json.dumps({"formatters": {"generic": FORMATTER, "access": FORMATTER}}))
            os.environ.setdefault("GRANIAN_LOG_CONFIG", str(config))
        granian.cli.entrypoint()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    orphans.end_with_parent()
    main()
