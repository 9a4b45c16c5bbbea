"""The time, and how the API writes it."""

from datetime import UTC, datetime

from django.utils import timezone


def now() -> datetime:
    """The present moment, aware and in UTC."""
    return timezone.now()


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with six decimals, ending in ``Z``: ``2026-01-31T09:05:00.000000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
