"""The time, and how the API writes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from django.utils import timezone

_moved_to: ContextVar[datetime | None] = ContextVar("moved_to", default=None)


def now() -> datetime:
    """The present moment, aware and in UTC."""
    return _moved_to.get() or timezone.now()


@contextmanager
def moved_to(moment: datetime) -> Iterator[None]:
    """Inside, it is ``moment``: for demo data with a past, and for tests."""
    token = _moved_to.set(moment)
    try:
        yield
    finally:
        _moved_to.reset(token)


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with six decimals, ending in ``Z``: ``2026-01-31T09:05:00.000000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
