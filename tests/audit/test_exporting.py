"""GET /api/audit/events and /api/audit/heads: who may, what is found, and in which form."""

import csv
import io
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from audit import exporting
from audit.heads import Head
from audit.models import NO_ORGANIZATION, AuditEvent, AuditKey, EventType
from audit.recording import Event, record
from audit.sealing import seal
from cerply import clock
from cerply.permissions import Actor, ActorKind
from tests.api.client import Answer, Api
from tests.audit.evidence import newest, record_and_seal, record_some
from tests.factories import ACTOR, Cast

ADMIN_TOKEN = {"x_admin_token": "dev-admin-token-12345"}
EVENTS, HEADS = "/audit/events", "/audit/heads"


def ids(answer: Answer) -> list[str]:
    return [event["id"] for event in answer.body["events"]]


def lines(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.content.splitlines()]


def rows(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


# -- who may --


@pytest.mark.parametrize("path", [EVENTS, HEADS, "/audit/bundle"])
def test_admins_and_auditors_see_their_own_organization_s_and_nobody_else_does(api: Api, cast: Cast, path: str) -> None:
    record_and_seal(1, cast.organization.id)
    assert [api.get(path, by=person).status for person in (cast.admin, cast.auditor)] == [200, 200]
    assert [api.get(path, by=person).status for person in (cast.learner, cast.manager)] == [403, 403]
    assert api.get(path).status == 401
    assert str(cast.organization.id) not in api.get(path, by=cast.outside_admin).content.decode()
    theirs = f"{path}?organization={cast.organization.id}"
    assert (api.get(theirs, by=cast.outside_admin).status, api.get(theirs, by=cast.admin).status) == (404, 200)
    assert api.get(theirs, **ADMIN_TOKEN).status == 200


def test_who_sees_everything_asks_for_one_organization_or_gets_all(api: Api, cast: Cast) -> None:
    [ours] = record_some(1, cast.organization.id)
    [theirs] = record_some(1, cast.outside.id)
    assert {str(ours), str(theirs)} < set(ids(api.get(EVENTS, **ADMIN_TOKEN)))
    assert ids(api.get(f"{EVENTS}?organization={cast.outside.id}", **ADMIN_TOKEN)) == [str(theirs)]
    platform = api.get(f"{EVENTS}?organization={NO_ORGANIZATION}", **ADMIN_TOKEN).body["events"]
    assert {event["organizationId"] for event in platform} == {None}


@pytest.mark.parametrize("name", ["actor", "target", "organization", "cursor"])
def test_what_is_no_id_is_refused(api: Api, cast: Cast, name: str) -> None:
    answer = api.get(f"{EVENTS}?{name}=x", by=cast.admin)
    assert (answer.status, list(answer.details)) == (400, [name])


@pytest.mark.parametrize(
    "query", ["type=x", "from=yesterday", "to=2026-01-01", "order=up", "format=xml", "limit=0", "type=%00"]
)
def test_nonsense_is_refused(api: Api, cast: Cast, query: str) -> None:
    answer = api.get(f"{EVENTS}?{query}", by=cast.admin)
    assert (answer.status, list(answer.details)) == (400, [query.partition("=")[0]])


# -- pages --


def test_an_event_is_as_the_log_tells_it(api: Api, cast: Cast) -> None:
    [key] = record_some(1, cast.organization.id)
    event = AuditEvent.objects.get(id=key)
    [found] = api.get(f"{EVENTS}?type=certificate_revoked", by=cast.auditor).body["events"]
    assert found == {
        "id": str(key),
        "organizationId": str(cast.organization.id),
        "type": "certificate_revoked",
        "subject": {"kind": "certificate", "id": str(event.subject_id)},
        "actor": {"kind": "system", "id": None, "label": "test"},
        "requestId": "",
        "metadata": event.metadata,
        "occurredAt": clock.rfc3339(event.occurred_at),
    }


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_walking_the_pages_meets_every_event_once_also_when_more_come(api: Api, cast: Cast, order: str) -> None:
    known = list(map(str, record_some(7, cast.organization.id)))
    met: list[str] = []
    path = f"{EVENTS}?order={order}&limit=3&type=certificate_revoked"
    while True:
        page = api.get(f"{path}&cursor={met[-1]}" if met else path, by=cast.admin)
        met += ids(page)
        if page.body["next"] is None:
            break
        assert page.body["next"] == met[-1]
        if len(met) == 3 and order == "newest":
            record_some(2, cast.organization.id)
    assert met == (known if order == "oldest" else known[::-1])


def test_filters(api: Api, cast: Cast) -> None:
    her, it = uuid4(), uuid4()
    moment = clock.now()
    own = cast.organization.id
    with transaction.atomic():
        for minutes, type_, actor_id, subject_id in (
            (1, EventType.TEAM_CREATED, her, it),
            (2, EventType.TEAM_UPDATED, her, uuid4()),
            (3, EventType.TEAM_UPDATED, uuid4(), it),
        ):
            with clock.moved_to(moment + timedelta(minutes=minutes)):
                record(Event(type_, own, "team", subject_id), actor=Actor(ActorKind.USER, actor_id, "admin"))

    times = {clock.rfc3339(moment + timedelta(minutes=each)): each for each in range(4)}

    def found(query: str) -> list[int]:
        events = api.get(f"{EVENTS}?{query}", by=cast.admin).body["events"]
        return [times[event["occurredAt"]] for event in events if event["occurredAt"] in times]

    assert found("type=team_updated") == [3, 2]
    assert found(f"actor={her}") == [2, 1]
    assert found(f"target={it}") == [3, 1]
    assert found(f"target={it}&actor={her}") == [1]
    second, third = (clock.rfc3339(moment + timedelta(minutes=each)) for each in (2, 3))
    assert found(f"from={second}") == [3, 2]
    assert found(f"to={second}") == [1]
    assert found(f"from={second}&to={third}") == [2]
    assert found(f"from={third}&to={second}") == []


def test_a_page_costs_the_same_however_long_it_is(api: Api, cast: Cast) -> None:
    record_some(30, cast.organization.id)
    api.get(EVENTS, by=cast.admin)
    counts = []
    for limit in (1, 30):
        with CaptureQueriesContext(connection) as queries:
            assert len(ids(api.get(f"{EVENTS}?limit={limit}", by=cast.admin))) == limit
        counts.append(len(queries))
    assert counts[0] == counts[1]


# -- files --


@pytest.mark.parametrize("how", ["format", "accept"])
def test_all_of_them_as_lines_of_json(api: Api, cast: Cast, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(exporting, "STEP", 3)
    known = list(map(str, record_some(8, cast.organization.id)))
    pages = api.get(f"{EVENTS}?order=oldest&type=certificate_revoked", by=cast.admin).body["events"]
    if how == "format":
        answer = api.get(f"{EVENTS}?order=oldest&format=ndjson&type=certificate_revoked", by=cast.admin)
    else:
        path = f"{EVENTS}?order=oldest&type=certificate_revoked"
        answer = api.get(path, by=cast.admin, accept="text/html, application/x-ndjson;q=0.9, */*")
    assert answer.media_type == "application/x-ndjson"
    assert lines(answer) == pages
    assert [event["id"] for event in lines(answer)] == known
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit-events.ndjson"'
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "Accept" in answer.headers["Vary"]


def test_all_of_them_as_csv(api: Api, cast: Cast) -> None:
    [key] = record_some(1, cast.organization.id)
    answer = api.get(f"{EVENTS}?type=certificate_revoked", by=cast.auditor, accept="text/csv")
    [row] = rows(answer)
    assert list(row) == exporting.COLUMNS
    assert (row["id"], row["type"], row["subjectKind"]) == (str(key), "certificate_revoked", "certificate")
    assert json.loads(row["metadata"]) == AuditEvent.objects.get(id=key).metadata
    assert answer.content.count(b"\r\n") == 2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "＠x"])  # noqa: RUF001
def test_a_spreadsheet_computes_nothing(api: Api, cast: Cast, text: str) -> None:
    with transaction.atomic():
        record(Event(EventType.TEAM_CREATED, cast.organization.id, text), actor=Actor(ActorKind.USER, None, text))
    [row] = rows(api.get(f"{EVENTS}?format=csv&type=team_created", by=cast.admin))
    assert (row["subjectKind"], row["actorLabel"]) == (f"'{text}", f"'{text}")
    [event] = api.get(f"{EVENTS}?type=team_created", by=cast.admin).body["events"]
    assert event["actor"]["label"] == text


def test_an_unknown_accept_changes_nothing(api: Api, cast: Cast) -> None:
    assert api.get(f"{EVENTS}?type=team_created", by=cast.admin, accept="image/png").body["events"] == []


def test_who_takes_the_audit_out_is_in_it(api: Api, cast: Cast) -> None:
    api.get(EVENTS, by=cast.auditor)
    assert not AuditEvent.objects.filter(type="audit_exported").exists()
    api.get(f"{EVENTS}?format=csv&type=signed_in", by=cast.auditor)
    api.get("/audit/bundle", by=cast.auditor)
    first, second = AuditEvent.objects.filter(type="audit_exported").order_by("id")
    assert (first.actor_id, first.organization_id) == (cast.auditor.id, cast.organization.id)
    assert first.metadata.items() >= {"what": "events", "format": "csv", "filters": {"type": "signed_in"}}.items()
    assert second.metadata.items() >= {"what": "bundle", "format": "ndjson", "filters": {}}.items()


# -- heads --


def test_heads_newest_first_with_what_proves_them(api: Api, cast: Cast) -> None:
    for _ in range(3):
        record_and_seal(2, cast.organization.id)
    seal()
    answer = api.get(f"{HEADS}?limit=2", by=cast.auditor)
    assert [head["statement"]["number"] for head in answer.body["heads"]] == [3, 2]
    assert (answer.body["total"], answer.body["limit"]) == (3, 2)
    first, second = answer.body["heads"]
    assert first["statement"]["previous"] == second["hash"]
    assert first["head"] == str(Head.of(newest(cast.organization.id)))
    assert [key["id"] for key in answer.body["keys"]] == [str(AuditKey.objects.get().id)]


def test_the_platform_s_own_heads_are_for_staff(api: Api, cast: Cast) -> None:
    with transaction.atomic():
        record(Event(EventType.AUDIT_PURGED, None), actor=ACTOR)
    seal()
    head = api.get(HEADS, **ADMIN_TOKEN).body["heads"][0]
    assert head["statement"]["organizationId"] is None
    assert Head.parse(head["head"]) == Head.of(newest(NO_ORGANIZATION))
    assert api.get(f"{HEADS}?organization={NO_ORGANIZATION}", by=cast.admin).status == 404


@pytest.mark.parametrize("text", ["", "x", f"{UUID(int=1)}/0/{'a' * 64}", f"{'-' * 36}/1/{'a' * 64}"])
def test_what_is_no_head(text: str) -> None:
    assert Head.parse(text) is None


def test_a_head_is_read_as_it_is_written(db: None) -> None:
    record_and_seal()
    head = Head.of(newest())
    assert Head.parse(f"  {str(head).upper()}\n") == head
