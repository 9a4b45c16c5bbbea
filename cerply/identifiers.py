"""Identifiers: how they are made and how they are read."""

import re
import secrets
import time
from threading import Lock
from uuid import UUID

UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

_lock = Lock()
_last = 0


def uuid7(milliseconds: int | None = None) -> UUID:
    """A UUIDv7 (RFC 9562, section 5.7): time-ordered, and increasing within the process.

    The 12 bits after the version count fractions of a millisecond (method 3 of section 6.2). Python has one of its own
    from 3.14 on; we run on 3.12.
    """
    global _last
    if milliseconds is not None:
        stamp = milliseconds << 12
    else:
        nanoseconds = time.time_ns()
        stamp = (nanoseconds // 1_000_000 << 12) | (nanoseconds % 1_000_000 * 4096 // 1_000_000)
        with _lock:
            stamp = _last = max(stamp, _last + 1)
    number = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=number)


def parse_uuid(text: str) -> UUID | None:
    """The UUID in its 36 character form, any version, any case; None for everything else."""
    return UUID(text) if UUID_TEXT.fullmatch(text) else None
