"""How many are in an inbox and unread, exactly and at the same cost whatever is in it.

A page asks every few seconds, so nothing is counted when it asks. A partial index of what is unread costs as much as
there is unread (100,000: 20 ms), and no index helps to tell how many there are in all, which is in the answer too
(a million: 150 ms); this is 0.1 ms. Nor is there a row that everybody writes who has something to tell a manager:
a trigger on the inbox inserts deltas, in the transaction of what changed, a job sums them up, and a read adds what is
left, as with the KPIs. A trigger, because a statement that tells nobody twice says to the database alone whom it told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import connection

from cerply.permissions import Caller

FOLD_STEP = 5000
MOST_STEPS = 1000

# Both tables in one statement, so in one snapshot: a fold in between is seen whole or not at all.
COUNTS = """
    SELECT type, sum(total)::bigint, sum(unread)::bigint
      FROM (SELECT type, total, unread FROM inbox_totals WHERE manager_id = %(manager_id)s
             UNION ALL
            SELECT type, total, unread FROM inbox_deltas WHERE manager_id = %(manager_id)s) AS counted
     GROUP BY type
"""

# Totals are locked in the order of their key, so that two folders wait for each other and never in a circle.
FOLD = """
    WITH chosen AS (
        SELECT id FROM inbox_deltas ORDER BY id LIMIT %(step)s FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM inbox_deltas USING chosen WHERE inbox_deltas.id = chosen.id
        RETURNING inbox_deltas.manager_id, inbox_deltas.type, inbox_deltas.total, inbox_deltas.unread
    ), summed AS (
        SELECT manager_id, type, sum(total) AS total, sum(unread) AS unread FROM gone GROUP BY manager_id, type
    ), folded AS (
        INSERT INTO inbox_totals AS totals (manager_id, type, total, unread)
        SELECT manager_id, type, total, unread FROM summed ORDER BY manager_id, type
        ON CONFLICT (manager_id, type)
        DO UPDATE SET total = totals.total + excluded.total, unread = totals.unread + excluded.unread
    )
    SELECT count(*) FROM gone
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one inbox, by type."""

    totals: Mapping[str, int] = field(default_factory=dict)
    unreads: Mapping[str, int] = field(default_factory=dict)

    @property
    def unread(self) -> int:
        return sum(self.unreads.values())

    def of(self, type_: str | None, *, unread_only: bool) -> int:
        """How many there are, as filtered."""
        counted = self.unreads if unread_only else self.totals
        return counted.get(type_, 0) if type_ else sum(counted.values())


def counts_of(caller: Caller) -> Counts:
    """From what is committed, and what this transaction changed. Nothing for who has no inbox."""
    if not caller.is_member:
        return Counts()
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"manager_id": caller.user_id})
        rows = cursor.fetchall()
    return Counts({row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows})


def fold() -> str:
    """Sums deltas up into totals, step by step; safe beside readers, writers and other folders."""
    folded = 0
    for _ in range(MOST_STEPS):
        with connection.cursor() as cursor:
            cursor.execute(FOLD, {"step": FOLD_STEP})
            count = cursor.fetchone()[0]
        folded += count
        if count < FOLD_STEP:
            break
    return f"Folded {folded} changes of inboxes."
