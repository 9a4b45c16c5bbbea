"""The audit in the admin: searched and filtered, never changed."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit import rounds
from audit.heads import Head
from audit.models import AuditEvent, AuditKey, EventType, Segment, Verification
from audit.recording import Event, record, record_many
from cerply import clock
from cerply.permissions import Actor, ActorKind
from cerply.requests import request_id
from tests.audit.evidence import OURS, newest, record_and_seal
from tests.console import page_of
from tests.factories import ACTOR, Cast, make_organization

LIST = "/admin/audit/auditevent/"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def make_event(type_: EventType = EventType.TEAM_CREATED, **fields: object) -> AuditEvent:
    values = {"organization_id": None, "subject_kind": "", "subject_id": None, "metadata": {}} | fields
    actor = values.pop("actor", ACTOR)
    record(Event(type_, **values), actor=actor)  # type: ignore[arg-type]
    return AuditEvent.objects.latest("id")


def found(console: Client, **query: object) -> set[UUID]:
    answer = console.get(LIST, {name: str(value) for name, value in query.items()})
    assert answer.status_code == 200
    return {event.id for event in answer.context["cl"].result_list}


def test_a_search_finds_by_whole_ids_alone(console: Client) -> None:
    organization = make_organization()
    user, subject = uuid4(), uuid4()
    with request_id("request-1"):
        event = make_event(
            organization_id=organization.id, subject_id=subject, actor=Actor(ActorKind.USER, user, "admin")
        )
    make_event()
    for term in (event.id, str(event.id).upper(), user, subject, "request-1", f"  {subject} "):
        assert found(console, q=term) == {event.id}
    for term in ("request", uuid4(), str(user)[:8], "%", "' OR 1=1 --", organization.name):
        assert found(console, q=term) == set()


def test_filters_narrow_it_down(console: Client) -> None:
    one, two = make_organization("Aurora"), make_organization("Borealis")
    first = make_event(EventType.TEAM_CREATED, organization_id=one.id)
    second = make_event(EventType.TOKEN_CREATED, organization_id=two.id, actor=Actor(ActorKind.USER, uuid4(), "admin"))
    assert found(console, organization=one.id) == {first.id}
    assert found(console, organization=two.id) == {second.id}
    assert found(console, organization="nonsense") == set()
    assert found(console, type__exact="token_created") == {second.id}
    assert found(console, actor_kind__exact="system") == {first.id}
    assert found(console, organization=one.id, type__exact="token_created") == set()


def test_days_are_filtered_from_one_to_another_both_included(console: Client) -> None:
    events = []
    for moment in (NOON - timedelta(days=1), NOON.replace(hour=0), NOON, NOON.replace(hour=23, minute=59)):
        with clock.moved_to(moment):
            record(Event(EventType.TEAM_CREATED, None), actor=ACTOR)
        events.append(AuditEvent.objects.get(occurred_at=moment).id)
    day = {"occurred_at_from": "2026-03-10", "occurred_at_to": "2026-03-10"}
    assert found(console, **day) == set(events[1:])
    assert found(console, occurred_at_to="2026-03-09") == {events[0]}
    assert found(console, occurred_at_from="2026-03-11", occurred_at_to="2026-03-12") == set()
    for nonsense in ("yesterday", "2026-02-31", "9999-12-31", "0001-01-01"):
        assert found(console, occurred_at_from=nonsense) >= set(events)


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_adds_changes_or_deletes(console: Client, method: str) -> None:
    event = make_event()
    page = console.get(f"{LIST}{event.id}/change/").content.decode()
    assert 'name="_save"' not in page
    assert console.post(f"{LIST}{event.id}/change/", {"type": "x"}).status_code == 403
    for path in (f"{LIST}add/", f"{LIST}{event.id}/delete/"):
        assert getattr(console, method)(path, {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": str(event.id), "post": "yes"}
    console.post(LIST, chosen)
    assert AuditEvent.objects.get(id=event.id).type == "team_created"


def test_one_event_shows_all_of_it_and_escapes_what_others_wrote(console: Client) -> None:
    organization = make_organization("Aurora <b>")
    event = make_event(organization_id=organization.id, metadata={"name": "<script>alert(1)</script>"})
    page = console.get(f"{LIST}{event.id}/change/").content.decode()
    assert "Aurora &lt;b&gt;" in page
    assert "&lt;script&gt;" in page
    assert "<script>alert(1)" not in page


def test_the_list_asks_no_more_for_many_events_than_for_one(console: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert console.get(LIST).status_code == 200
        return len(queries)

    make_event(organization_id=make_organization().id)
    one = cost()
    organizations = [make_organization() for _ in range(5)]
    record_many(
        [Event(EventType.TEAM_CREATED, organization.id) for organization in organizations for _ in range(30)],
        actor=ACTOR,
    )
    assert cost() <= one


def test_a_page_beyond_the_last_is_no_error(console: Client) -> None:
    make_event()
    assert console.get(LIST, {"p": "999"}).status_code in {200, 302}


def test_events_name_who_did_what_to_whom_with_links(console: Client, cast: Cast) -> None:
    actor = Actor(ActorKind.USER, cast.admin.id, "admin")
    event = make_event(
        EventType.USER_UPDATED,
        organization_id=cast.organization.id,
        subject_kind="user",
        subject_id=cast.learner.id,
        actor=actor,
    )
    gone = make_event(EventType.TEAM_DELETED, subject_kind="team", subject_id=uuid4(), actor=actor)
    for path in (LIST, f"{LIST}{event.id}/change/"):
        page = console.get(path).content.decode()
        for name in ("Maya Lindqvist", "Amina Yusuf", "Nordlys Energy"):
            assert name in page
        assert f"/admin/accounts/user/{cast.learner.id}/change/" in page
        assert f"?actor={cast.admin.id}" in page
    page = console.get(LIST).content.decode()
    assert str(gone.subject_id) in page
    assert f"{event.occurred_at:%Y-%m-%d %H:%M:%S} UTC" in page


def test_one_actor_s_events_are_found_by_her_address_or_id(console: Client, cast: Cast) -> None:
    actor = Actor(ActorKind.USER, cast.admin.id, "admin")
    did = make_event(EventType.TEAM_CREATED, actor=actor)
    happened = make_event(EventType.USER_UPDATED, subject_kind="user", subject_id=cast.admin.id)
    make_event()
    assert found(console, actor=cast.admin.id) == {did.id}
    assert found(console, actor=cast.admin.email.upper()) == {did.id}
    assert found(console, actor="nobody@example.com") == set()
    assert found(console, q=cast.admin.email.upper()) == {did.id, happened.id}


# -- the evidence --


def test_the_evidence_is_shown_and_never_changed(console: Client) -> None:
    record_and_seal()
    rounds.go_on()
    segment = newest()
    head = str(Head.of(segment))
    rows = {Segment: segment, AuditKey: segment.key, Verification: Verification.objects.get()}
    for model, row in rows.items():
        assert console.get(page_of(model, "changelist")).status_code == 200
        page = page_of(model, "change", row.pk)
        assert console.get(page).status_code == 200
        assert console.post(page, {}).status_code == 403
        assert console.get(page_of(model, "add")).status_code == 403
    assert head in console.get(page_of(Segment, "change", segment.pk)).content.decode()
    assert (
        bytes(segment.key.sealed_private_key).hex()
        not in console.get(page_of(AuditKey, "change", segment.key.pk)).content.decode()
    )


def test_a_segment_is_found_by_its_head_its_organization_or_its_first_event(console: Client) -> None:
    record_and_seal()
    record_and_seal()
    segment = newest()
    for term, number in ((str(Head.of(segment)), 1), (str(OURS), 2), (str(segment.id), 1), (str(uuid4()), 0), ("x", 0)):
        answer = console.get(page_of(Segment, "changelist"), {"q": term})
        assert len(answer.context["cl"].result_list) == number


def test_the_list_of_segments_costs_the_same_however_long_it_is(console: Client) -> None:
    counts = []
    for number in (1, 8):
        for _ in range(number):
            record_and_seal()
        with CaptureQueriesContext(connection) as queries:
            console.get(page_of(Segment, "changelist"))
        counts.append(len(queries))
    assert counts[0] == counts[1]
