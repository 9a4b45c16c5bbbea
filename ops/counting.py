"""Counts that all web processes share, for the rate limits on guessing: a storage of the `limits` library.

In a table that is not logged: nothing of it is worth a write-ahead log, and a commit waits for no disk. After the
database has crashed it is empty, and everybody starts anew.
"""

import hmac
import time
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from limits.storage import Storage

from ops.models import RateCount

COUNT = """
    INSERT INTO rate_counts AS counted (key, count, expires_at)
    VALUES (%(key)s, %(amount)s, statement_timestamp() + make_interval(secs => %(seconds)s))
    ON CONFLICT (key) DO UPDATE SET
        count = excluded.count + CASE WHEN counted.expires_at > statement_timestamp() THEN counted.count ELSE 0 END,
        expires_at = CASE
            WHEN counted.expires_at > statement_timestamp() THEN counted.expires_at ELSE excluded.expires_at
        END
    RETURNING count
"""


class DatabaseStorage(Storage):
    """By the database's clock. Keys say who asked, so that their HMAC is kept in their place."""

    STORAGE_SCHEME = ["database"]

    @property
    def base_exceptions(self) -> type[Exception]:
        return DatabaseError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        with connection.cursor() as cursor:
            cursor.execute(COUNT, {"key": _hidden(key), "amount": amount, "seconds": expiry})
            return int(cursor.fetchone()[0])

    def get(self, key: str) -> int:
        return self._running(key)[0]

    def get_expiry(self, key: str) -> float:
        """When the window ends, as a POSIX timestamp."""
        return self._running(key)[1]

    def check(self) -> bool:
        """Whether the table can be asked."""
        try:
            RateCount.objects.exists()
        except DatabaseError:
            return False
        return True

    def reset(self) -> int:
        return RateCount.objects.all().delete()[0]

    def clear(self, key: str) -> None:
        RateCount.objects.filter(key=_hidden(key)).delete()

    def _running(self, key: str) -> tuple[int, float]:
        row: Any = RateCount.objects.filter(key=_hidden(key), expires_at__gt=Now()).first()
        return (row.count, row.expires_at.timestamp()) if row else (0, time.time())


def clear_expired() -> str:
    """The job: forgets windows that are over."""
    deleted, _ = RateCount.objects.filter(expires_at__lt=Now()).delete()
    return f"Deleted {deleted} counts."


def _hidden(key: str) -> str:
    return hmac.digest(settings.SECRET_KEY.encode(), f"ops.counting {key}".encode(), "sha256").hex()
