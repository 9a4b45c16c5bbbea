"""How migrations change tables that are in use: waiting for a lock for a moment only, and each step such that it can be
done again.
"""

from typing import Any

from django.db import DatabaseError, transaction
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.models import Index, Model

# Whoever comes after a statement that waits for a table's lock waits with it.
LOCK_TIMEOUT_MS = 500
LIMIT = f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"
# A lock that did not come in time, and a deadlock.
NOT_NOW = {"55P03", "40P01"}


def is_for_later(exc: DatabaseError) -> bool:
    """Whether it was others who stood in the way, so that it may be tried again."""
    return getattr(exc.__cause__, "sqlstate", "") in NOT_NOW


class SchemaEditor(DatabaseSchemaEditor):
    """The limit is one of the transaction, which a pooler between us and the database leaves alone.

    What a migration without a transaction had done when it was killed is there when it is begun anew: so indexes that
    are there, and may be half built, are built again, and what is gone need not be dropped.
    """

    sql_delete_constraint = "ALTER TABLE %(table)s DROP CONSTRAINT IF EXISTS %(name)s"
    sql_delete_check = sql_delete_constraint
    sql_delete_unique = sql_delete_constraint

    def __enter__(self) -> "SchemaEditor":
        super().__enter__()
        if self.atomic_migration and not self.collect_sql:
            super().execute(LIMIT)
        return self

    def execute(self, sql: Any, params: Any = ()) -> None:
        # What is done concurrently waits for others while nobody waits for it, and takes no transaction.
        is_free = "CONCURRENTLY" in str(sql)
        if self.collect_sql or self.connection.in_atomic_block or is_free:
            super().execute(sql, params)
            return
        with transaction.atomic(self.connection.alias):
            super().execute(LIMIT)
            super().execute(sql, params)

    def add_index(self, model: type[Model], index: Index, concurrently: bool = False) -> None:
        if concurrently:
            self.execute(index.remove_sql(model, self, concurrently=True))
        super().add_index(model, index, concurrently=concurrently)
