"""Starting `certificates.confined`, where strangers' files are looked into."""

import json
import subprocess
import sys
from typing import Any

from django.conf import settings

# However little of it is CPU.
WALL_SECONDS = 10


class TooMuchEffort(Exception):
    """The file needs more time or memory than any of ours, and its process was ended."""


def run(task: str, content: bytes) -> dict[str, Any]:
    """What the task of `certificates.confined` says of the content. It gets nothing of our environment."""
    command = [sys.executable, "-E", "-s", "-m", "certificates.confined", task]
    try:
        done = subprocess.run(  # noqa: S603 - our own module; what strangers send is its input alone
            command,
            input=content,
            capture_output=True,
            check=False,
            cwd=settings.BASE_DIR,
            env={"LC_ALL": "C.UTF-8"},
            timeout=WALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise TooMuchEffort(f"{task}: more than {WALL_SECONDS} s") from None
    if done.returncode:
        # A signal, or no more memory.
        raise TooMuchEffort(f"{task}: ended with {done.returncode}")
    return dict(json.loads(done.stdout))
