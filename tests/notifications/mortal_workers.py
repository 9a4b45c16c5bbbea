"""Workers in processes of their own, which are killed in the middle of their work; the time is what they are told.

A process that has Django set up takes orders by line, and forks as many workers for each as it names: thousands of them
can live and die within a test.
"""

import json
import os
import random
import signal
import smtplib
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from threading import Timer
from typing import Any

from django.conf import settings
from django.core.mail import DNS_NAME
from django.core.mail.backends.smtp import EmailBackend
from django.template.loader import get_template
from django.urls import reverse

from cerply import clock
from notifications import collecting, delivery, failing
from ops.outbox import OwedQuerySet
from tests.processes import environment

# Where a worker may die: a function, and what has come to pass before and after it.
STEPS: Sequence[tuple[Any, str, str, str]] = [
    (collecting, "_collect_some", "begins to collect", "has collected, and not committed"),
    (collecting, "_withhold", "has looked for who is due", "has withheld what nobody wants"),
    (collecting, "_put_in", "has chosen mails", "has put into mails what is for them"),
    (delivery, "collect", "has not begun", "has committed what it collected"),
    (OwedQuerySet, "_claim", "looks for a mail to send", "has claimed a mail"),
    (delivery, "compose", "holds the mail it claimed", "has composed it"),
    (EmailBackend, "open", "connects", "is connected"),
    (smtplib.SMTP, "data", "has named the recipient", "has the server's answer"),
    (smtplib.SMTP, "getreply", "has said something to the server", "has heard the server"),
    (EmailBackend, "send_messages", "has a connection", "has sent it, and not committed"),
    (OwedQuerySet, "_settle", "begins to settle it", "has committed that it is sent"),
    (failing, "hang_up", "has sent all", "has hung up"),
]
EVERY_STEP = [step for *_, before, after in STEPS for step in (before, after)]
# From these on the message may be in the mailbox while the books do not say so.
IN_HAND = {
    "has said something to the server",
    "has heard the server",
    "has the server's answer",
    "has sent it, and not committed",
}
START = "import django\n\ndjango.setup()\nfrom tests.notifications.mortal_workers import serve\n\nserve()\n"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What one worker is to do. It dies at the given passing of a step, after so many seconds, or by chance."""

    moment: datetime
    port: int
    timeout: float = 5
    step: str = ""
    passing: int = 1
    seconds: float = 0
    chance: float = 0
    seed: int = 0


class Workers:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def start(self, *orders: Order) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps([asdict(order) for order in orders], default=str) + "\n")
        self.process.stdin.flush()

    def ended(self) -> list[int]:
        """How those that were started ended, in their order: 0, or the negative number of a signal."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "The workers' parent has died."
        return list(json.loads(line))

    def run(self, *orders: Order) -> list[int]:
        self.start(*orders)
        return self.ended()


@contextmanager
def workers() -> Iterator[Workers]:
    command = [sys.executable, "-c", START]
    with subprocess.Popen(
        command, env=environment() | {"LOG_LEVEL": "ERROR"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Workers(process)
        finally:
            process.kill()


# -- in the other process --


def serve() -> None:
    # What each process does once, done once for all of them.
    DNS_NAME.get_fqdn()
    reverse("unsubscribe", args=["token"])
    for template in ("mail.txt", "mail.html"):
        get_template(f"notifications/mail/{template}")
    for line in sys.stdin:
        pids = [_bear(order) for order in json.loads(line)]
        ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        print(json.dumps(ends), flush=True)


def _bear(order: dict[str, Any]) -> int:
    order["moment"] = datetime.fromisoformat(order["moment"])
    pid = os.fork()
    if not pid:
        _live(Order(**order))
    return pid


def _live(order: Order) -> None:
    """Never returns."""
    options = {"host": "127.0.0.1", "port": order.port, "timeout": order.timeout}
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
    fate = Fate(order)
    for owner, name, before, after in STEPS:
        setattr(owner, name, _stepped(getattr(owner, name), before, after, fate))
    if order.seconds:
        Timer(order.seconds, _die).start()
    code = 1
    try:
        with clock.moved_to(order.moment):
            delivery.mail_owed()
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Fate:
    def __init__(self, order: Order) -> None:
        self.order, self.left, self.chances = order, order.passing, random.Random(order.seed)  # noqa: S311

    def at(self, step: str) -> None:
        if step == self.order.step:
            self.left -= 1
        if (step == self.order.step and not self.left) or self.chances.random() < self.order.chance:
            _die()


def _stepped(function: Callable[..., Any], before: str, after: str, fate: Fate) -> Callable[..., Any]:
    def stepped(*arguments: Any, **options: Any) -> Any:
        fate.at(before)
        result = function(*arguments, **options)
        fate.at(after)
        return result

    return stepped
