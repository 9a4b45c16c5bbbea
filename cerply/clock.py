"""The time, and how the API writes it."""

from calendar import monthrange
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


def months_after(moment: datetime, months: int) -> datetime:
    """The same day and time so many calendar months later, in UTC; the last day of a month that has no such day."""
    moment = moment.astimezone(UTC)
    years, month = divmod(moment.month - 1 + months, 12)
    year = moment.year + years
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


def whole_second(moment: datetime) -> datetime:
    """Without its fraction, as in what is signed: verifiers differ in how they read one that ends in zeros."""
    return moment.replace(microsecond=0)


def rfc3339_seconds(moment: datetime) -> str:
    """RFC 3339 in UTC without a fraction: ``2026-01-31T09:05:00Z``."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with six decimals, ending in ``Z``: ``2026-01-31T09:05:00.000000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
