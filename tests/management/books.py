"""Every row of the tables of ours, to be compared."""

import json
from typing import Any

from django.db import connection

# What Django and the queue keep for themselves, and the parts of a table that stand for the whole.
OTHERS = ("django_", "auth_", "audit_events_", "audit_leaves_", "audit_commitments_")

type Books = dict[str, list[dict[str, Any]]]

COLUMNS = """
    SELECT table_name, column_name, is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'
      FROM information_schema.columns WHERE table_schema = current_schema()
"""


def columns() -> dict[tuple[str, str], bool]:
    """Of each table of ours, and whether a row must say something for it."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS)
        return {(table, name): needed for table, name, needed in cursor.fetchall() if not table.startswith(OTHERS)}


def books() -> Books:
    """Every row of every table of ours."""
    found = {}
    with connection.cursor() as cursor:
        for table in sorted({table for table, _ in columns()}):
            cursor.execute(f'SELECT to_jsonb(t)::text FROM "{table}" AS t ORDER BY 1')  # noqa: S608
            found[table] = [json.loads(row) for (row,) in cursor.fetchall()]
    return found


def lost(before: Books, after: Books) -> Books:
    """Rows that are there no more or say something else, by what both schemas have a table and columns for."""
    found = {}
    for table, rows in before.items():
        if not rows or table not in after:
            continue
        names = rows[0].keys() & (after[table] or rows)[0].keys()
        kept = [{name: row[name] for name in names} for row in after[table]]
        if gone := [row for row in rows if {name: row[name] for name in names} not in kept]:
            found[table] = gone
    return found
