"""Processes of their own, on the database of the test: to be killed in the middle of their work."""

import os
import subprocess
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

START = "import os, signal\nimport django\n\ndjango.setup()\n"


def environment() -> dict[str, str]:
    """The variables of a process that works on the database and the files of this test."""
    url = urlsplit(os.environ["DATABASE_URL"])
    return os.environ | {
        # With both slashes also where no host is between them, as PostgreSQL's own programs want it.
        "DATABASE_URL": f"{url.scheme}://{url.netloc}/{connection.settings_dict['NAME']}?{url.query}",
        "DJANGO_SETTINGS_MODULE": "cerply.settings",
        "MEDIA_ROOT": str(settings.MEDIA_ROOT),
    }


def run_python(code: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Runs it after ``django.setup()``, and waits. Negative return codes are the signals that killed it.

    Its environment is this one's, with changes.
    """
    return run([sys.executable, "-c", START + code], **changes)


def run(command: Sequence[str], **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=environment() | changes,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
