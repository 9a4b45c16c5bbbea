"""An event is recorded with its cause or not at all; its log line follows the commit."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from audit import kpis
from audit.models import AuditEvent, EventType
from audit.partitions import Week
from audit.recording import Event, record, record_many
from cerply import clock
from cerply.permissions import Actor, ActorKind
from cerply.requests import request_id
from tests.api.client import Api
from tests.factories import ACTOR, Cast, give_answers

ORGANIZATION, SUBJECT, USER = uuid4(), uuid4(), uuid4()
ISSUED = Event(EventType.CERTIFICATE_ISSUED, ORGANIZATION, "certificate", SUBJECT, {"trackTitle": "Größe & <b>"})


def issued() -> int:
    return kpis.totals()["certificates_issued"]


def test_an_event_says_who_did_what_to_what_when_and_in_which_request(db: None) -> None:
    moment = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
    with clock.moved_to(moment), request_id("my-request"):
        record(ISSUED, actor=Actor(ActorKind.USER, USER, "admin"))
    event = AuditEvent.objects.get()
    assert (event.type, event.organization_id) == ("certificate_issued", ORGANIZATION)
    assert (event.subject_kind, event.subject_id) == ("certificate", SUBJECT)
    assert (event.actor_kind, event.actor_id, event.actor_label) == ("user", USER, "admin")
    assert (event.request_id, event.occurred_at) == ("my-request", moment)
    assert event.metadata == {"trackTitle": "Größe & <b>"}


@pytest.mark.django_db(transaction=True)
def test_outside_of_a_transaction_nothing_is_recorded() -> None:
    with pytest.raises(transaction.TransactionManagementError, match="in the transaction of their cause"):
        record(ISSUED, actor=ACTOR)
    assert not AuditEvent.objects.exists()
    assert issued() == 0


@pytest.mark.django_db(transaction=True)
def test_what_is_taken_back_leaves_no_event_no_count_and_no_line(caplog: pytest.LogCaptureFixture) -> None:
    with transaction.atomic():
        record(ISSUED, actor=ACTOR)
        transaction.set_rollback(True)
    assert not AuditEvent.objects.exists()
    assert issued() == 0
    assert "[audit]" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_the_line_is_written_after_the_commit(caplog: pytest.LogCaptureFixture) -> None:
    with transaction.atomic(), request_id("my-request"):
        record(ISSUED, actor=ACTOR)
        assert "[audit]" not in caplog.text
    [message] = [log.getMessage() for log in caplog.records if log.name == "audit"]
    event = AuditEvent.objects.get()
    assert json.loads(message.removeprefix("[audit] ")) == {
        "id": str(event.id),
        "type": "certificate_issued",
        "organizationId": str(ORGANIZATION),
        "subject": {"kind": "certificate", "id": str(SUBJECT)},
        "actor": {"kind": "system", "id": None, "label": "test"},
        "requestId": "my-request",
        "metadata": {"trackTitle": "Größe & <b>"},
        "occurredAt": clock.rfc3339(event.occurred_at),
    }


def test_without_persistence_the_line_and_the_counters_remain(
    db: None,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.PERSIST_AUDIT_EVENTS = False
    with django_capture_on_commit_callbacks(execute=True):
        record(ISSUED, actor=ACTOR)
    assert not AuditEvent.objects.exists()
    assert issued() == 1
    assert "certificate_issued" in caplog.text


def test_many_are_recorded_in_order_and_in_two_statements(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    events = [Event(EventType.BADGE_AWARDED, ORGANIZATION, metadata={"number": number}) for number in range(300)]
    with django_assert_num_queries(2):
        record_many(events, actor=ACTOR)
    numbers = [event.metadata["number"] for event in AuditEvent.objects.order_by("id")]
    assert numbers == list(range(300))
    assert kpis.totals()["badges_awarded"] == 300


def test_an_event_lies_in_the_week_of_its_time(db: None) -> None:
    for moment in (clock.now(), clock.now() + timedelta(weeks=2)):
        with clock.moved_to(moment):
            record(ISSUED, actor=ACTOR)
        with connection.cursor() as cursor:
            cursor.execute("SELECT tableoid::regclass::text FROM audit_events ORDER BY id DESC LIMIT 1")
            assert cursor.fetchone()[0] == Week.of(moment).partition
        assert AuditEvent.objects.since(moment).before(moment + timedelta(seconds=1)).count() == 1


def test_a_request_s_id_is_on_what_it_caused(api: Api, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 20)
    body = {"trackId": str(cast.track.id), "itemId": str(cast.track.items.all()[0].id), "correct": True}
    api.post("/attempts", body, by=cast.learner, x_request_id="level.up-1")
    event = AuditEvent.objects.get(type="level_changed")
    assert (event.request_id, event.actor_id, event.subject_id) == ("level.up-1", cast.learner.id, cast.learner.id)


def test_every_use_of_the_admin_token_is_recorded(api: Api, cast: Cast) -> None:
    api.get(f"/learners/{cast.learner.id}/levels", x_admin_token="dev-admin-token-12345")
    api.post("/attempts", {}, x_admin_token="dev-admin-token-12345")
    events = AuditEvent.objects.filter(type="admin_token_used").order_by("id")
    assert [(event.actor_kind, event.metadata["method"], event.metadata["path"]) for event in events] == [
        ("admin_token", "GET", f"/api/learners/{cast.learner.id}/levels"),
        ("admin_token", "POST", "/api/attempts"),
    ]
    assert api.get(f"/learners/{cast.learner.id}/badges/%00", x_admin_token="dev-admin-token-12345").status == 404
