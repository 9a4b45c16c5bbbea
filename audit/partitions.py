"""The weekly partitions of ``audit_events`` and of what goes with it: made ahead, dropped together, and healed where
events came before their partition.
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.utils import OperationalError

from cerply import clock

WEEKS_AHEAD = 8
EVENTS = "audit_events"
# By week like the events, on the id of an event.
COMPANIONS = ("audit_leaves", "audit_commitments")
# What the database refuses to change.
KEPT = {EVENTS, "audit_leaves"}
DEFAULT = "audit_events_default"
# Whoever waits for a lock makes all who come after her wait too: so give up soon, let them pass, and try again.
LOCK_TIMEOUT_MS = 50
PAUSE = 0.25
TRIES = 60
# A lock that is in conflict with itself alone: one changes the partitions, and readers and writers do not wait. ONLY:
# not the partitions, which autovacuum may hold for long.
ONE_AT_A_TIME = "LOCK TABLE ONLY audit_events IN SHARE UPDATE EXCLUSIVE MODE"
# Whoever writes waits too: an event on its way to the default partition is refused there once its own is attached.
NOBODY_WRITES = "LOCK TABLE ONLY audit_events IN SHARE ROW EXCLUSIVE MODE"

# Ids outside of these are no times: before the first Monday of 1970, or in the year 2527 and later.
FIRST_TIME, NO_TIME = UUID("00001499-7000-0000-0000-000000000000"), UUID("10000000-0000-0000-0000-000000000000")
IN_DEFAULT = f"""
    SELECT DISTINCT date_trunc('week', to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
                                       AT TIME ZONE 'UTC')
      FROM {DEFAULT}
     WHERE id >= '{FIRST_TIME}' AND id < '{NO_TIME}'
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
    def of_id(cls, key: UUID) -> "Week":
        """What an id begins with is the time in milliseconds. Of ids from `FIRST_TIME` on, and before `NO_TIME`."""
        return cls.of(datetime.fromtimestamp((key.int >> 80) / 1000, UTC))

    @classmethod
    def of_day(cls, day: date) -> "Week":
        return cls.of(datetime(day.year, day.month, day.day, tzinfo=UTC))

    @classmethod
    def of_partition(cls, name: str) -> "Week | None":
        found = re.fullmatch(r"[a-z_]+_([0-9]{8})", name, re.ASCII)
        return cls(datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC)) if found else None

    @property
    def end(self) -> datetime:
        return self.start + timedelta(weeks=1)

    @property
    def partition(self) -> str:
        return self.partition_of(EVENTS)

    def partition_of(self, table: str) -> str:
        return f"{table}_{self.start:%Y%m%d}"

    @property
    def first_id(self) -> UUID:
        """The least UUIDv7 of the week."""
        return UUID(int=int(self.start.timestamp()) * 1000 << 80)

    @property
    def bounds(self) -> tuple[UUID, UUID]:
        """Its first id, and that of the next week."""
        return self.first_id, Week(self.end).first_id

    def following(self, weeks: int) -> list["Week"]:
        """This week and the next ones."""
        return [Week(self.start + timedelta(weeks=number)) for number in range(weeks + 1)]


def exists(database: BaseDatabaseWrapper) -> bool:
    """False where migrations are not applied that make the tables, or are taken back."""
    tables = [EVENTS, *COMPANIONS]
    with database.cursor() as cursor:
        cursor.execute("SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(%s::text[]) AS name", [tables])
        return bool(cursor.fetchone()[0])


def existing(table: str = EVENTS) -> list[Week]:
    """The weeks that have a partition, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])
        names = [name for (name,) in cursor.fetchall()]
    return sorted(week for name in names if (week := Week.of_partition(name)))


def in_default() -> list[Week]:
    """The weeks of events that came before their partition."""
    with connection.cursor() as cursor:
        cursor.execute(IN_DEFAULT)
        return sorted(Week(start.replace(tzinfo=UTC)) for (start,) in cursor.fetchall())


def create_ahead(weeks: int = WEEKS_AHEAD) -> str:
    """A partition for this week, the next ones, and each past week of which rows lie in the default partition."""
    created = create({*Week.of(clock.now()).following(weeks), *in_default(), *existing()})
    return f"Created {created} audit partitions; they reach to {existing()[-1].end:%Y-%m-%d}."


def create(weeks: Iterable[Week]) -> int:
    """Those that are missing, of the events and their companions. Returns how many of the events it made."""
    wanted = set(weeks)
    for table in COMPANIONS:
        for week in sorted(wanted - set(existing(table))):
            patiently(partial(_create_companion, table, week))
    return sum(patiently(partial(_create, week)) for week in sorted(wanted - set(existing())))


def drop(week: Week) -> None:
    """In the caller's transaction. That of the events goes last: from then on writers wait."""
    with connection.cursor() as cursor:
        for table in (*COMPANIONS, EVENTS):
            cursor.execute(f"DROP TABLE IF EXISTS {week.partition_of(table)}")


def patiently[T](change: Callable[[], T]) -> T:
    """Runs a change of a table's structure in a transaction, without making writers wait for long."""
    for attempt in range(1, TRIES + 1):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
                return change()
        except OperationalError as exc:
            if attempt == TRIES or getattr(exc.__cause__, "sqlstate", "") not in {"55P03", "40P01"}:
                raise
        time.sleep(PAUSE)
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
        _attach(cursor, EVENTS, week)
    return True


def _create_companion(table: str, week: Week) -> None:
    partition = week.partition_of(table)
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE ONLY {table} IN SHARE UPDATE EXCLUSIVE MODE")
        if week not in existing(table):
            cursor.execute(f"CREATE TABLE {partition} (LIKE {table} INCLUDING STORAGE INCLUDING CONSTRAINTS)")
            _attach(cursor, table, week)


def _attach(cursor: CursorWrapper, table: str, week: Week) -> None:
    partition = week.partition_of(table)
    cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM (%s) TO (%s)", week.bounds)
    # Other triggers come with attaching.
    if table in KEPT:
        cursor.execute(
            f"CREATE TRIGGER {table}_are_not_emptied BEFORE TRUNCATE ON {partition}"
            " FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse_change()"
        )


def _move_from_default(cursor: CursorWrapper, week: Week) -> None:
    """Rows of the table cannot be deleted, so what does not move is put back after a TRUNCATE that is let through."""
    cursor.execute(
        f"INSERT INTO {week.partition} SELECT * FROM {DEFAULT} WHERE id >= %s AND id < %s",  # noqa: S608
        week.bounds,
    )
    if not cursor.rowcount:
        return
    cursor.execute(
        f"CREATE TEMPORARY TABLE audit_events_staying ON COMMIT DROP AS"  # noqa: S608
        f" SELECT * FROM {DEFAULT} WHERE id < %s OR id >= %s",
        week.bounds,
    )
    cursor.execute(f"ALTER TABLE {DEFAULT} DISABLE TRIGGER USER")
    cursor.execute(f"TRUNCATE {DEFAULT}")
    cursor.execute(f"ALTER TABLE {DEFAULT} ENABLE TRIGGER USER")
    cursor.execute(f"INSERT INTO {DEFAULT} SELECT * FROM audit_events_staying")  # noqa: S608
    cursor.execute("DROP TABLE audit_events_staying")
