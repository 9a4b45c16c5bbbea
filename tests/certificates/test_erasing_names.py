"""All that bears a learner's name: it goes from everywhere but where it is said to stay."""

import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.models import User
from cerply.accounts.people import change_person
from cerply.forgetting import Forgotten
from certificates import sharing
from certificates.erasing import erase_learner
from certificates.models import Certificate
from certificates.name_stores import STORES, kept_columns
from certificates.rendering import pdf_of
from certificates.revoking import revoke
from certificates.verifying import verify_credential
from gamification.certifying import credential_of
from gamification.models import LearnerBadge
from notifications.models import ManagerNotification
from ops.models import IdempotencyKey
from tests.api.client import Api
from tests.certificates.erasing import erased
from tests.factories import ACTOR, Cast, complete, make_track, make_user
from tests.notifications.webhooks import make_endpoint

NAME = "Wilhelmina Quaggenbusch"
FORMER = "Wilhelmina Zzyzxdottir"
FIND = 'SELECT EXISTS (SELECT FROM "{table}" WHERE {column}::text LIKE %s OR {column}::text LIKE %s)'
FIND_BYTES = 'SELECT EXISTS (SELECT FROM "{table}" WHERE position(%s::bytea in {column}) > 0)'
WHY = f"{NAME} asked for it."


def columns_with(text: str) -> set[str]:
    """Every column of every table in which it is found, whatever its type; partitions count as their table."""
    found = set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c"
            "  JOIN pg_class ON pg_class.relname = c.table_name AND pg_class.relkind IN ('r', 'p')"
            "   AND NOT pg_class.relispartition"
            " WHERE c.table_schema = 'public' AND c.data_type IN"
            " ('text', 'character varying', 'character', 'json', 'jsonb', 'bytea', 'ARRAY')"
        )
        for table, column, kind in cursor.fetchall():
            name, escaped = f'"{column}"', json.dumps(text)[1:-1]
            if kind == "bytea":
                cursor.execute(FIND_BYTES.format(table=table, column=name), [text.encode()])
            else:
                cursor.execute(FIND.format(table=table, column=name), [f"%{text}%", f"%{escaped}%"])
            if cursor.fetchone()[0]:
                found.add(f"{table}.{column}")
    return found


def everything(api: Api, cast: Cast) -> User:
    """A learner with a name that nobody else has, and all that leaves a trace of it."""
    make_endpoint(cast.organization, "https://hooks.example.com/")
    person = {"name": FORMER, "email": "w.q@example.com", "externalId": "77", "role": "learner"}
    made = api.post("/learners", person, by=cast.admin, x_idempotency_key="made")
    learner = User.objects.get(id=made.body["id"])
    path = f"/teams/{cast.team.id}/members/{learner.id}"
    assert api.put(path, by=cast.admin, x_idempotency_key="joins").status < 300
    items = list(cast.track.items.all())
    for item in items:
        body = {"trackId": str(cast.track.id), "itemId": str(item.id), "correct": True}
        assert api.post("/attempts", body, by=learner, x_idempotency_key=str(item.id)).status == 201
    other = make_track(cast.organization)
    outside = {"trackId": str(other.id)}
    assert api.post(f"/learners/{learner.id}/completions", outside, by=cast.admin, x_idempotency_key="c").status == 201
    api.patch(f"/learners/{learner.id}", {"name": NAME}, by=cast.admin, x_idempotency_key="renamed")
    first, second = Certificate.objects.filter(learner=learner).order_by("issued_at")
    why = {"reason": f"Not {FORMER}, but {NAME}."}
    for what in ("suspend", "reinstate", "replace"):
        assert api.post(f"/certificates/{first.id}/{what}", why, by=cast.admin, x_idempotency_key="k").status == 200
    assert api.post(f"/certificates/{second.id}/revoke", why, by=cast.admin, x_idempotency_key="k").status == 200
    for award in LearnerBadge.objects.filter(learner=learner):
        credential_of(award, actor=ACTOR)
    for certificate in Certificate.objects.filter(learner=learner):
        pdf_of(certificate.id)
        sharing.share(certificate, actor=ACTOR)
    return learner


def test_the_name_is_nowhere_but_where_it_is_said_to_stay(api: Api, cast: Cast, media: Path) -> None:
    learner = everything(api, cast)
    listed = {column for store in STORES for column in store.columns}
    before = columns_with(NAME) | columns_with(FORMER)
    assert before <= listed, "Who adds a store of names adds it to certificates.name_stores."
    forgotten = {column for store in STORES if store.forget for column in store.columns}
    assert forgotten <= before, "The test leaves no trace in one of the stores: it proves nothing of it."
    call_command("erase_certificates", learner=str(learner.id), reason=WHY)
    assert columns_with(NAME) | columns_with(FORMER) <= kept_columns()
    assert (columns_with(NAME) | columns_with(FORMER)) == {"users.name", "audit_events.metadata"}
    erasing = AuditEvent.objects.filter(type__in=["certificate_erased", "credential_erased", "name_erased"])
    assert erasing.count() == 3 + LearnerBadge.objects.filter(learner=learner).count() + 1
    assert not [event for event in erasing if "Wilhelmina" in json.dumps(event.metadata)]
    for path in media.rglob("*"):
        assert path.is_dir() or "Wilhelmina" not in path.read_text(errors="replace")
    assert list(media.rglob("*.pdf")) == []


def test_a_replay_still_does_nothing_twice_and_says_no_name(api: Api, cast: Cast) -> None:
    learner = everything(api, cast)
    erase_learner(learner.id, actor=ACTOR, reason="x")
    person = {"name": FORMER, "email": "w.q@example.com", "externalId": "77", "role": "learner"}
    again = api.post("/learners", person, by=cast.admin, x_idempotency_key="made")
    assert (again.status, again.headers["X-Idempotency-Replay"], again.body["name"]) == (201, "true", "")
    assert again.body["id"] == str(learner.id)
    assert not [row for row in IdempotencyKey.objects.all() if b"Wilhelmina" in bytes(row.body)]


def test_nobody_elses_names_are_touched(api: Api, cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    namesake = make_user(cast.organization, name=cast.learner.name)
    [other] = complete(namesake, cast.track).certificates
    told = ManagerNotification.objects.filter(learner=cast.learner).count()
    complete(cast.colleague, cast.track)
    assert erase_learner(cast.learner.id, actor=ACTOR, reason="x") == 1
    assert Certificate.objects.get(id=certificate.id).learner_name == ""
    assert Certificate.objects.get(id=other.id).learner_name == cast.learner.name
    rows = ManagerNotification.objects.filter(learner=cast.learner)
    assert [row.content["learnerName"] for row in rows] == [""] * told
    assert told


def test_badges_are_gone(api: Api, cast: Cast) -> None:
    complete(cast.learner, cast.track)
    path = f"/learners/{cast.learner.id}/badges/first-steps"
    copy = api.get(f"{path}/credential", by=cast.learner)
    erase_learner(cast.learner.id, actor=ACTOR, reason="x")
    for what in ("credential", "image.png", "image.svg", "png", "svg"):
        answer = api.get(f"{path}/{what}", by=cast.learner)
        assert answer.status in {404, 410}
        assert answer.status == 410 or what != "credential"
    assert verify_credential(copy.content).is_genuine


def test_what_she_earns_later_bears_her_name(cast: Cast, certificate: Certificate) -> None:
    erase_learner(cast.learner.id, actor=ACTOR, reason="x")
    [later] = complete(cast.learner, make_track(cast.organization)).certificates
    assert later.learner_name == cast.learner.name


def test_the_command_counts_first(cast: Cast, certificate: Certificate, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("erase_certificates", learner=str(cast.learner.id), dry_run=True)
    assert capsys.readouterr().out == f"Would erase 1 certificates of {cast.learner.id}.\n"
    assert Certificate.objects.kept().exists()
    for nobody in (str(uuid4()), "x"):
        with pytest.raises(CommandError, match="There is no learner"):
            call_command("erase_certificates", learner=nobody)


@given(st.text(min_size=1), st.text(), st.text())
def test_names_are_taken_out_of_texts(name: str, before: str, after: str) -> None:
    person = Forgotten(UUID(int=0), {name}, clock.now(), "")
    assert person.out_of(name) == ""
    assert (
        name in {" ", "[", "…", "]", "[…]", "[…", "…]"} or name not in person.out_of(f"{before} {name} {after}").split()
    )


@pytest.mark.parametrize(
    ("names", "text", "left"),
    [
        ({"Li"}, "Li read Listen to Li.", "[…] read Listen to […]."),
        ({"田中陽子"}, "田中陽子さんの証書", "[…]さんの証書"),
        ({"Ann", "Ann Lee"}, "Ann Lee, or Ann", "[…], or […]"),
        ({"a.c"}, "abc a.c", "abc […]"),
        (set(), "nothing", "nothing"),
    ],
)
def test_names_in_sentences(names: set[str], text: str, left: str) -> None:
    assert Forgotten(UUID(int=0), names, clock.now(), "").out_of(text) == left


def test_a_name_that_she_bore_before_is_known(cast: Cast, certificate: Certificate) -> None:
    change_person(cast.learner.id, {"name": NAME}, actor=ACTOR)
    change_person(cast.learner.id, {"name": FORMER}, actor=ACTOR)
    revoke(certificate.id, f"Look at {NAME}.", actor=ACTOR)
    erased(certificate)
    assert Certificate.objects.get().revocation_reason == "Look at […]."
