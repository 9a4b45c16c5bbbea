"""Mail that rows owe: until the mail server has taken it, or all tries have failed."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

# After each failure; after one more nobody waits for it any more.
PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360)]
# In seconds, well below what the queue allows: a mail server that does not answer takes 20 for each.
LONGEST_RUN = 120


def work_off(settle_next: Callable[[], bool | None]) -> int:
    """Calls it, each time in a transaction, until it finds nothing due (None). Returns how many it mailed (True).

    It holds the row while it mails, so that it is mailed once; who is killed meanwhile leaves it owed.
    """
    until = time.monotonic() + LONGEST_RUN
    mailed = 0
    while time.monotonic() < until:
        with transaction.atomic():
            done = settle_next()
        if done is None:
            break
        mailed += done
    return mailed


def next_try(failures: int, moment: datetime) -> datetime | None:
    """When to try again after so many failures; None: no more."""
    return moment + PAUSES[failures - 1] if failures <= len(PAUSES) else None
