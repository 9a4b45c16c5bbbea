"""Is what we depend on there?"""

import logging
from collections.abc import Callable
from functools import cache
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from ops.heartbeats import worker_age

logger = logging.getLogger(__name__)


class Unready(Exception):
    """With a sentence that anyone may read."""


def check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if not _migrations_are_applied():
        # Only the good news lasts.
        _migrations_are_applied.cache_clear()
        raise Unready("Migrations are not applied: run `manage.py migrate`.")


@cache
def _migrations_are_applied() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def check_storage() -> None:
    """Writes a file, reads it again, deletes it."""
    content = uuid4().hex.encode()
    name = default_storage.save(f"health/{uuid4()}.txt", ContentFile(content))
    try:
        with default_storage.open(name) as file:
            if file.read() != content:
                raise Unready("The file storage does not give back what was written.")
    finally:
        default_storage.delete(name)


CHECKS: dict[str, Callable[[], None]] = {"database": check_database, "storage": check_storage}


def problems() -> dict[str, list[str]]:
    """What is wrong, by what it is; empty when ready."""
    found = {}
    for name, check in CHECKS.items():
        try:
            check()
        except Unready as exc:
            found[name] = [str(exc)]
        except Exception:
            # Whatever a database or a storage backend raises means the same; the log has the details.
            logger.exception("not ready: %s", name)
            found[name] = ["It does not answer as it should."]
    return found


def worker_age_seconds() -> float | None:
    """For information: a worker that is away makes nothing unready."""
    try:
        age = worker_age()
    except DatabaseError:
        return None
    return None if age is None else round(age, 1)
