"""A database of its own beside the test's, to be migrated to and fro."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

OURS = ("accounts", "tracks", "gamification", "certificates", "notifications", "ops", "audit")


@contextmanager
def scratch_database() -> Iterator[None]:
    """Empty; the connection leads to it, and afterwards back."""
    before, name = connection.settings_dict["NAME"], f"scratch_{uuid4().hex}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    _lead_to(name)
    try:
        yield
    finally:
        _lead_to(before)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _lead_to(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name


def migrate(*target: str) -> None:
    """To a migration of an app; to the newest of each where none is named."""
    call_command("migrate", *target, verbosity=0, interactive=False)


def migrate_to(targets: dict[str, str]) -> None:
    """Back or forth, each of the apps to its own."""
    for app, name in targets.items():
        migrate(app, name)


def our_migrations() -> MigrationLoader:
    return MigrationLoader(connection, replace_migrations=False)


def structure() -> list[tuple[str, ...]]:
    """Columns, indexes and constraints of the database, in words."""
    with connection.cursor() as cursor:
        cursor.execute(STRUCTURE)
        return list(cursor.fetchall())


STRUCTURE = """
    SELECT 'column', table_name::text, column_name::text,
           concat_ws(' ', data_type, character_maximum_length, is_nullable, column_default)
      FROM information_schema.columns WHERE table_schema = current_schema()
     UNION ALL
    SELECT 'index', indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid) || indisvalid
      FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relnamespace = current_schema()::regnamespace
     UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) || convalidated
      FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND conrelid <> 0
     UNION ALL
    SELECT 'trigger', tgrelid::regclass::text, tgname::text, pg_get_triggerdef(oid)
      FROM pg_trigger WHERE NOT tgisinternal
     ORDER BY 1, 2, 3
"""
