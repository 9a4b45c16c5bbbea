"""The weekly partitions of ``audit_events``: made ahead, and healed where rows came before their partition."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.utils import OperationalError

from cerply import clock

WEEKS_AHEAD = 8
NAME = re.compile(r"audit_events_([0-9]{8})", re.ASCII)
DEFAULT = "audit_events_default"
# Whoever waits for a lock makes all who come after her wait too: so give up soon, and try again.
LOCK_TIMEOUT_MS = 500
TRIES = 20
# A lock that is in conflict with itself alone: one changes the partitions, and readers and writers do not wait. ONLY:
# not the partitions, which autovacuum may hold for long.
ONE_AT_A_TIME = "LOCK TABLE ONLY audit_events IN SHARE UPDATE EXCLUSIVE MODE"
# Whoever writes waits too: an event on its way to the default partition is refused there once its own is attached.
NOBODY_WRITES = "LOCK TABLE ONLY audit_events IN SHARE ROW EXCLUSIVE MODE"

IN_DEFAULT = f"""
    SELECT DISTINCT date_trunc('week', to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
                                       AT TIME ZONE 'UTC')
      FROM {DEFAULT}
     WHERE id >= '00000000-0000-7000-8000-000000000000' AND id < '10000000-0000-0000-0000-000000000000'
"""  # noqa: E501, S608 - a constant


@dataclass(frozen=True, order=True, slots=True)
class Week:
    """A week of UTC, from Monday, and its partition."""

    start: datetime

    @classmethod
    def of(cls, moment: datetime) -> "Week":
        day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return cls(day - timedelta(days=day.weekday()))

    @classmethod
    def of_partition(cls, name: str) -> "Week | None":
        found = NAME.fullmatch(name)
        return cls(datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC)) if found else None

    @property
    def end(self) -> datetime:
        return self.start + timedelta(weeks=1)

    @property
    def partition(self) -> str:
        return f"audit_events_{self.start:%Y%m%d}"

    @property
    def first_id(self) -> UUID:
        """The least UUIDv7 of the week: what its ids begin with is the time in milliseconds."""
        return UUID(int=int(self.start.timestamp()) * 1000 << 80)

    def following(self, weeks: int) -> list["Week"]:
        """This week and the next ones."""
        return [Week(self.start + timedelta(weeks=number)) for number in range(weeks + 1)]


def exists(database: BaseDatabaseWrapper) -> bool:
    """False before the first migration, and after the last is taken back."""
    with database.cursor() as cursor:
        cursor.execute("SELECT to_regclass('audit_events') IS NOT NULL")
        return bool(cursor.fetchone()[0])


def existing() -> list[Week]:
    """The weeks that have a partition, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_events'::regclass")
        names = [name for (name,) in cursor.fetchall()]
    return sorted(week for name in names if (week := Week.of_partition(name)))


def create_ahead(weeks: int = WEEKS_AHEAD) -> str:
    """A partition for this week, the next ones, and each past week of which rows lie in the default partition."""
    wanted = set(Week.of(clock.now()).following(weeks))
    with connection.cursor() as cursor:
        cursor.execute(IN_DEFAULT)
        wanted |= {Week(start.replace(tzinfo=UTC)) for (start,) in cursor.fetchall()}
    created = [week for week in sorted(wanted - set(existing())) if patiently(partial(_create, week))]
    return f"Created {len(created)} audit partitions; they reach to {existing()[-1].end:%Y-%m-%d}."


def patiently[T](change: Callable[[], T]) -> T:
    """Runs a change of the table's structure in a transaction, without making writers wait for long."""
    for attempt in range(1, TRIES + 1):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
                return change()
        except OperationalError as exc:
            if attempt == TRIES or getattr(exc.__cause__, "sqlstate", "") not in {"55P03", "40P01"}:
                raise
    raise AssertionError("unreachable")


def _create(week: Week) -> bool:
    """Creates the week's partition, and moves to it what came before it was there. False if it was there already."""
    with connection.cursor() as cursor:
        cursor.execute(NOBODY_WRITES if week.start <= clock.now() else ONE_AT_A_TIME)
        if week in existing():
            return False
        cursor.execute(f"CREATE TABLE {week.partition} (LIKE audit_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        cursor.execute(f"LOCK TABLE {DEFAULT} IN ACCESS EXCLUSIVE MODE")
        _move_from_default(cursor, week)
        cursor.execute(
            f"ALTER TABLE audit_events ATTACH PARTITION {week.partition} FOR VALUES FROM (%s) TO (%s)",
            [week.first_id, Week(week.end).first_id],
        )
        cursor.execute(
            f"CREATE TRIGGER audit_events_are_not_emptied BEFORE TRUNCATE ON {week.partition}"
            " FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse_change()"
        )
    return True


def _move_from_default(cursor: CursorWrapper, week: Week) -> None:
    """Rows of the table cannot be deleted, so what does not move is put back after a TRUNCATE that is let through."""
    bounds = [week.first_id, Week(week.end).first_id]
    cursor.execute(f"INSERT INTO {week.partition} SELECT * FROM {DEFAULT} WHERE id >= %s AND id < %s", bounds)  # noqa: S608
    if not cursor.rowcount:
        return
    cursor.execute(
        f"CREATE TEMPORARY TABLE audit_events_staying ON COMMIT DROP AS"  # noqa: S608
        f" SELECT * FROM {DEFAULT} WHERE id < %s OR id >= %s",
        bounds,
    )
    cursor.execute(f"ALTER TABLE {DEFAULT} DISABLE TRIGGER USER")
    cursor.execute(f"TRUNCATE {DEFAULT}")
    cursor.execute(f"ALTER TABLE {DEFAULT} ENABLE TRIGGER USER")
    cursor.execute(f"INSERT INTO {DEFAULT} SELECT * FROM audit_events_staying")  # noqa: S608
    cursor.execute("DROP TABLE audit_events_staying")
