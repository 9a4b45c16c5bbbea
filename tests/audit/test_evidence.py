"""The database keeps audit events: it changes none, and forgets none but whole weeks."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from audit.models import AuditEvent, EventType
from audit.partitions import Week
from audit.recording import Event, record
from cerply import clock
from tests.factories import ACTOR

PARTITION = Week.of(clock.now()).partition


@pytest.fixture
def event(db: None) -> AuditEvent:
    record(Event(EventType.TEAM_CREATED, None), actor=ACTOR)
    return AuditEvent.objects.get()


def execute(sql: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL audit.may_be_emptied = 'off'")
        cursor.execute(sql)


@pytest.mark.parametrize("table", ["audit_events", PARTITION])
@pytest.mark.parametrize(
    "sql", ["UPDATE {} SET type = 'x'", "UPDATE {} SET metadata = metadata", "DELETE FROM {}", "TRUNCATE {}"]
)
def test_the_database_refuses_to_change_what_is_recorded(event: AuditEvent, table: str, sql: str) -> None:
    with pytest.raises(DatabaseError, match="Audit events are neither changed nor deleted"):
        execute(sql.format(table))
    assert AuditEvent.objects.get() == event


def test_nor_does_it_empty_a_table_that_truncate_reaches_by_another(event: AuditEvent) -> None:
    with pytest.raises(DatabaseError, match="neither changed nor deleted"):
        execute("TRUNCATE users, audit_events CASCADE")


def test_what_came_before_its_partition_is_kept_too(db: None) -> None:
    with clock.moved_to(clock.now() - timedelta(days=3650)):
        record(Event(EventType.TEAM_CREATED, None), actor=ACTOR)
    for sql in ("UPDATE {} SET type = 'x'", "DELETE FROM {}", "TRUNCATE {}"):
        with pytest.raises(DatabaseError, match="neither changed nor deleted"):
            execute(sql.format("audit_events_default"))


def test_the_orm_is_refused_as_well(event: AuditEvent) -> None:
    with pytest.raises(DatabaseError, match="neither changed nor deleted"), transaction.atomic():
        AuditEvent.objects.all().delete()
    event.type = EventType.TEAM_DELETED
    with pytest.raises(DatabaseError, match="neither changed nor deleted"), transaction.atomic():
        event.save()
