"""Migrations run while the service does: what they may not do to tables in use, what they wait for, being killed."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from django.core.management import call_command
from django.db import OperationalError, ProgrammingError, connection
from django.db.migrations.executor import MigrationExecutor

from cerply.management.commands import migrate as command
from tests.management.scratch import OURS, migrate, our_migrations, scratch_database, structure
from tests.management.watching import eventually
from tests.processes import environment

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SQUAWK = Path(sys.executable).parent / "squawk"
# Of style; and the timeout, which `migrate` sets.
NOT_ASKED = (
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "require-lock-timeout",
    "require-statement-timeout",
)
# A new column without a default: PostgreSQL looks at no row for its foreign key.
NEW_AND_EMPTY = "the column is new and empty, so nothing is looked at"
REPLACED = "the one that takes its place is there already"
FEW_ROWS = "a table of few rows, looked at in milliseconds"


class Said(NamedTuple):
    migration: str
    rule: str
    table: str


ALLOWED = {
    Said("certificates.0003_designs_and_renderings", "adding-foreign-key-constraint", "certificates"): NEW_AND_EMPTY,
    Said("certificates.0005_lifetime", "adding-foreign-key-constraint", "certificates"): NEW_AND_EMPTY,
    Said("certificates.0008_sealed_renderings", "adding-foreign-key-constraint", "certificate_renderings"): (
        NEW_AND_EMPTY
    ),
    Said("gamification.0005_shares_counted_once", "ban-drop-constraint", "shares"): REPLACED,
    Said("notifications.0002_expiring", "ban-drop-constraint", "manager_notifications"): (
        "a wider one comes with the next statement, and both have only words of ours to judge"
    ),
    Said("notifications.0003_mail", "constraint-missing-not-valid", "notification_preferences"): FEW_ROWS,
    Said("ops.0002_delete_featurecatchup", "ban-drop-table", "feature_catch_ups"): (
        "a job's place in its work: it fails with an older worker, and is done when that is replaced"
    ),
    Said("ops.0003_expected_runs", "ban-drop-not-null", "job_runs"): "only newer workers leave it empty",
    Said("ops.0003_expected_runs", "constraint-missing-not-valid", "job_runs"): FEW_ROWS,
    Said("tracks.0003_external_ids_of_shared_tracks", "ban-drop-constraint", "tracks"): REPLACED,
    Said("tracks.0005_what_certificates_say", "constraint-missing-not-valid", "tracks"): FEW_ROWS,
}


def said_of(scripts: dict[str, str], folder: Path) -> set[Said]:
    """What squawk says of each migration's SQL; not of tables that it makes itself, which nobody uses yet."""
    for name, sql in scripts.items():
        (folder / f"{name}.sql").write_text(sql)
    options = ["--reporter", "json", "--pg-version", "15.0", "--exclude", ",".join(NOT_ASKED)]
    command = [str(SQUAWK), *options, *[str(folder / f"{name}.sql") for name in scripts]]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode in {0, 1}, done.stderr
    found = set()
    for each in json.loads(done.stdout):
        assert each["level"] == "Warning", each  # it could not read it
        name = Path(each["file"]).stem
        statement = scripts[name].splitlines()[each["line"]]
        table = statement.split('TABLE "')[1].split('"')[0] if 'TABLE "' in statement else statement
        if f'CREATE TABLE "{table}"' not in scripts[name]:
            found.add(Said(name, each["rule_name"], table))
    return found


def script(migration: Any) -> str:
    sql = "\n".join(our_migrations().collect_sql([(migration, False)]))
    return f"BEGIN;\n{sql}\nCOMMIT;\n" if migration.atomic else f"{sql}\n"


def test_no_migration_locks_a_table_in_use_for_long(tmp_path: Path) -> None:
    nodes = our_migrations().graph.nodes
    scripts = {f"{app}.{name}": script(nodes[app, name]) for app, name in sorted(nodes) if app in OURS}
    said = said_of(scripts, tmp_path)
    assert said - ALLOWED.keys() == set(), "Mend it, or allow it by name and say why."
    assert ALLOWED.keys() - said == set(), "These are gone: allow them no longer."


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ('ALTER TABLE "users" ALTER COLUMN "name" TYPE text;', "changing-column-type"),
        ('CREATE INDEX "users_by_name" ON "users" ("name");', "require-concurrent-index-creation"),
        ('ALTER TABLE "users" ADD CONSTRAINT "c" CHECK ("name" <> \'\');', "constraint-missing-not-valid"),
        ('ALTER TABLE "users" ADD COLUMN "n" integer NOT NULL;', "adding-required-field"),
        ('ALTER TABLE "users" DROP COLUMN "name";', "ban-drop-column"),
        ('ALTER TABLE "users" RENAME COLUMN "name" TO "title";', "renaming-column"),
    ],
)
def test_what_would_lock_a_table_is_found(tmp_path: Path, statement: str, rule: str) -> None:
    assert rule in {each.rule for each in said_of({"x.0001": f"BEGIN;\n{statement}\nCOMMIT;\n"}, tmp_path)}


def test_indexes_are_made_concurrently_where_there_is_no_transaction_and_nowhere_else() -> None:
    nodes = our_migrations().graph.nodes
    for (app, name), migration in nodes.items():
        if app in OURS:
            assert ("CONCURRENTLY" in script(migration)) <= (not migration.atomic), (app, name)


# -- being killed --


class Killed(Exception):
    pass


class Killer:
    """Ends it before the statement that follows so many others."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(("ALTER", "CREATE", "DROP", "UPDATE", "DELETE", "INSERT")):
            if not self.left:
                raise Killed
            self.left -= 1
        return execute(sql, params, many, context)


def test_a_migration_without_a_transaction_goes_on_wherever_it_was_ended() -> None:
    with scratch_database():
        migrate()
        whole = structure()
    with scratch_database():
        ended = 0
        for migration in without_transaction():
            steps, is_done = 0, False
            while not is_done:
                try:
                    with connection.execute_wrapper(Killer(steps)):
                        migrate(migration.app_label, migration.name)
                    is_done = True
                except Killed:
                    ended, steps = ended + 1, steps + 1
        migrate()
        assert structure() == whole
    assert ended > 50


def without_transaction() -> Iterator[Any]:
    """In the order in which they come."""
    executor = MigrationExecutor(connection)
    for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes()):
        if migration.app_label in OURS and not migration.atomic:
            # Those before it are there.
            migrate_before(migration)
            yield migration


def migrate_before(migration: Any) -> None:
    for app, name in migration.dependencies:
        if app != "__setting__":
            migrate(app, name)


@contextmanager
def somebody() -> Iterator[psycopg.Connection[Any]]:
    """Another session on the same database."""
    known = connection.get_connection_params()
    names = {name: known[name] for name in ("host", "port", "user", "password", "dbname") if name in known}
    with psycopg.connect(**names) as other:
        yield other


def waiting_for(other: psycopg.Connection[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))", [other.info.backend_pid]
        )
        return [pid for (pid,) in cursor.fetchall()]


def is_running(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_stat_activity WHERE pid = %s AND state = 'active'", [pid])
        return cursor.fetchone() is not None


def validity(index: str) -> bool | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [index])
        row = cursor.fetchone()
    return row[0] if row else None


@pytest.mark.parametrize("with_its_session", [True, False])
def test_an_index_whose_building_was_killed_is_built_anew(with_its_session: bool) -> None:
    with scratch_database():
        migrate("gamification", "0002")
        with somebody() as writer:
            writer.execute("LOCK TABLE learner_standings IN ROW EXCLUSIVE MODE")
            process = subprocess.Popen(
                [sys.executable, "manage.py", "migrate", "gamification", "0003"],
                env=environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            eventually(lambda: waiting_for(writer), 60)
            [builder] = waiting_for(writer)
            process.send_signal(signal.SIGKILL)
            process.wait()
            if with_its_session:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_terminate_backend(%s)", [builder])
                eventually(lambda: not is_running(builder))
        # A session that lives on has seen nothing of it, and ends what it was at.
        eventually(lambda: not is_running(builder))
        assert validity("standings_owed") is not with_its_session
        migrate("gamification", "0003")
        assert validity("standings_owed") is True


# -- waiting for others --


@pytest.mark.parametrize(
    ("before", "migration", "table"),
    [
        (("accounts", "0005"), ("accounts", "0006"), "users"),
        # Without a transaction.
        (("notifications", "0001"), ("notifications", "0002"), "manager_notifications"),
    ],
)
def test_it_waits_for_others_for_a_moment_and_comes_again(
    before: tuple[str, str], migration: tuple[str, str], table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with scratch_database():
        migrate(*before)
        unchanged = structure()
        with somebody() as reader:
            reader.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
            with pytest.raises(OperationalError, match="lock timeout"):
                call_command("migrate", *migration, tries=2, verbosity=0, stderr=StringIO())
            assert pauses == [command.PAUSE]
            assert structure() == unchanged

            output = StringIO()
            monkeypatch.setattr(time, "sleep", lambda seconds: reader.rollback())
            call_command("migrate", *migration, verbosity=0, stderr=output)
        assert structure() != unchanged
    assert output.getvalue().count(f"Others use that table (1 of {command.TRIES} tries)") == 1


def test_what_is_wrong_with_a_migration_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("It waits for nobody."))
    with scratch_database():
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE organizations ()")
        with pytest.raises(ProgrammingError, match="already exists"):
            migrate("accounts", "0001")


def test_the_limit_is_its_transactions_and_not_the_sessions() -> None:
    """A pooler gives the session to others afterwards."""
    with scratch_database():
        migrate("gamification", "0005")
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("0",)
