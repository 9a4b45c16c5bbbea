"""Revoked with a code, suspended and reinstated, replaced: over the API, and as it was at any time."""

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from audit import kpis
from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.organizations import close_organization
from cerply.clock import rfc3339
from cerply.errors import Conflict
from certificates import proofs
from certificates.models import Certificate, Credential, RevocationCode, Status, StatusList, Suspension
from certificates.replacing import replace
from certificates.representation import SENTENCES
from certificates.revoking import revoke, revoke_many
from certificates.signing import is_genuine
from certificates.suspending import reinstate, reinstate_many, suspend, suspend_many
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, make_cast, make_track, make_user
from tests.threads import at_once

ROUTES = ("revoke", "suspend", "reinstate", "replace")


@pytest.fixture
def certificate(cast: Cast) -> Certificate:
    return complete(cast.learner, cast.track).certificates[0]


def holds(certificate: Certificate) -> bool:
    """By its bit, as any verifier reads it."""
    credential = Credential.objects.get(id=certificate.credential_id)
    bits = bytes(StatusList.objects.get(id=credential.status_list_id).bits)
    return not bits[credential.status_index // 8] >> (7 - credential.status_index % 8) & 1


def verified(api: Api, certificate: Certificate) -> dict[str, Any]:
    parts = urlsplit(certificate.verification_url)
    return dict(api.get(f"{parts.path.removeprefix('/api')}?{parts.query}").body)


def events(type_: str) -> int:
    return AuditEvent.objects.filter(type=type_).count()


# -- who may --


@pytest.mark.parametrize("route", ROUTES)
def test_who_may(api: Api, cast: Cast, certificate: Certificate, route: str) -> None:
    path, body = f"/certificates/{certificate.id}/{route}", {"reason": "x"}
    for who in (cast.learner, cast.manager, cast.auditor, cast.outsider):
        assert api.post(path, body, by=who).status == 403
    assert api.post(path, body, x_admin_token="dev-admin-token-12345").status == 403
    assert api.post(path, body, by=cast.outside_admin).status == 404
    assert api.post(f"/certificates/{uuid4()}/{route}", body, by=cast.admin).status == 404
    assert api.post(path, body).status == 401


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "x" * 501}, {"reason": 1}, {"reason": "a\0"}, {"reason": "x", "no": 1}]
)
def test_a_reason_is_needed(api: Api, cast: Cast, certificate: Certificate, route: str, body: dict[str, Any]) -> None:
    assert api.post(f"/certificates/{certificate.id}/{route}", body, by=cast.admin).status == 400


@pytest.mark.parametrize("route", ROUTES)
def test_no_feature_switches_it_off(
    api: Api, cast: Cast, certificate: Certificate, settings: Settings, route: str
) -> None:
    if route == "reinstate":
        suspend(certificate.id, "x", actor=ACTOR)
    settings.FEATURE_SWITCHES = dict.fromkeys(settings.FEATURE_SWITCHES, False)
    body = {"reason": "x"} | ({"learnerName": "Maja"} if route == "replace" else {})
    assert api.post(f"/certificates/{certificate.id}/{route}", body, by=cast.admin).status == 200


def test_all_of_it_when_the_organization_is_closed_and_the_learner_gone(cast: Cast, certificate: Certificate) -> None:
    cast.learner.is_active = False
    cast.learner.save()
    close_organization(cast.organization, actor=ACTOR, reason="She left.")
    suspend(certificate.id, "x", actor=ACTOR)
    reinstate(certificate.id, "x", actor=ACTOR)
    new = replace(certificate.id, "x", learner_name="Maja", actor=ACTOR).replaced_by
    assert new is not None
    revoke(new.id, "x", actor=ACTOR)
    assert not holds(new)


# -- revoked with a code --


@pytest.mark.parametrize("code", RevocationCode.values)
def test_a_code_decides_what_strangers_read(api: Api, cast: Cast, certificate: Certificate, code: str) -> None:
    body = {"reason": "She copied the answers.", "code": code}
    answer = api.post(f"/certificates/{certificate.id}/revoke", body, by=cast.admin)
    assert (answer.status, answer.body["code"], answer.body["reason"]) == (200, code, "She copied the answers.")
    told = verified(api, certificate)
    assert (told["valid"], told["revoked"], told["reason"]) == (False, True, SENTENCES[RevocationCode(code)])
    assert "copied" not in json.dumps(told)
    assert AuditEvent.objects.get(type="certificate_revoked").metadata["code"] == code
    again = api.post(f"/certificates/{certificate.id}/revoke", {"reason": "Another."}, by=cast.admin)
    assert again.body == answer.body


def test_an_unknown_code_is_refused_and_none_is_other(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}/revoke"
    for bad in ("no", "", None, 1):
        answer = api.post(path, {"reason": "x", "code": bad}, by=cast.admin)
        assert (answer.status, list(answer.details)) == (400, ["code"])
    assert api.post(path, {"reason": "x"}, by=cast.admin).body["code"] == "other"


def test_what_was_revoked_before_there_were_codes(api: Api, certificate: Certificate) -> None:
    Certificate.objects.update(revoked_at=clock.now(), revocation_reason="x")
    assert verified(api, certificate)["reason"] == SENTENCES[RevocationCode.OTHER]


# -- suspended and reinstated --


def test_suspended_and_reinstated(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}"
    first = api.post(f"{path}/suspend", {"reason": "An inquiry."}, by=cast.admin)
    assert first.status == 200
    assert first.body == {
        "id": str(certificate.id),
        "suspendedAt": first.body["suspendedAt"],
        "reason": "An inquiry.",
        "reinstatedAt": None,
        "reinstatementReason": None,
    }
    assert api.post(f"{path}/suspend", {"reason": "Another."}, by=cast.admin).body == first.body
    assert not holds(certificate)
    told = verified(api, certificate)
    assert (told["valid"], told["revoked"], told["status"]) == (False, False, "suspended")
    assert told["reason"] == "The certificate is suspended for the time being."
    [row] = api.get(f"/learners/{cast.learner.id}/certificates", by=cast.learner).body["certificates"]
    assert (row["status"], row["suspendedAt"]) == ("suspended", first.body["suspendedAt"])
    assert api.get(f"{path}/download", by=cast.learner).status == 200

    ended = api.post(f"{path}/reinstate", {"reason": "Nothing found."}, by=cast.admin)
    assert (ended.body["suspendedAt"], ended.body["reinstatementReason"]) == (row["suspendedAt"], "Nothing found.")
    assert api.post(f"{path}/reinstate", {"reason": "Again."}, by=cast.admin).body == ended.body
    assert holds(certificate)
    assert verified(api, certificate)["valid"] is True
    assert (events("certificate_suspended"), events("certificate_reinstated")) == (1, 1)

    again = api.post(f"{path}/suspend", {"reason": "A new inquiry."}, by=cast.admin)
    assert (again.body["reason"], again.body["reinstatedAt"]) == ("A new inquiry.", None)
    assert not holds(certificate)
    assert Suspension.objects.count() == 2


def test_what_cannot_be_suspended_or_reinstated(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}"
    never = api.post(f"{path}/reinstate", {"reason": "x"}, by=cast.admin)
    assert (never.status, never.body["error"]["message"]) == (409, "The certificate is not suspended.")
    suspend(certificate.id, "x", actor=ACTOR)
    revoke(certificate.id, "x", actor=ACTOR)
    for route in ("suspend", "reinstate", "replace"):
        answer = api.post(f"{path}/{route}", {"reason": "x"}, by=cast.admin)
        assert (answer.status, answer.code) == (409, "CONFLICT")
        assert "revoked, which is for good" in answer.body["error"]["message"]
    assert not holds(certificate)


# -- replaced --


def test_replaced_with_the_right_name(api: Api, cast: Cast) -> None:
    track = make_track(cast.organization, items=1, valid_months=12, description="Doors.", language="sv")
    [old] = complete(cast.learner, track).certificates
    cast.learner.name = "Maja Lindkvist"
    cast.learner.save()
    path = f"/certificates/{old.id}"
    answer = api.post(f"{path}/replace", {"reason": "Misspelt."}, by=cast.admin)
    assert answer.status == 200
    new = Certificate.objects.get(replaces=old)
    assert (answer.body["id"], answer.body["reason"]) == (str(old.id), "Misspelt.")
    given_back = answer.body["certificate"]
    assert (given_back["id"], given_back["learner"]["name"]) == (str(new.id), "Maja Lindkvist")
    assert (given_back["status"], given_back["replaces"]) == ("valid", str(old.id))
    old.refresh_from_db()
    assert (old.replaced_by, old.replaced_at) == (new, new.replaces and new.replaces.replaced_at)
    assert (new.issued_at, new.expires_at, new.source) == (old.issued_at, old.expires_at, old.source)
    assert (holds(old), holds(new)) == (False, True)

    before, after = (json.loads(each.credential.document) for each in (old, new))
    assert is_genuine(new.credential, new.signature)
    assert after["credentialSubject"]["name"] == "Maja Lindkvist"
    for name in ("validFrom", "validUntil", "evidence", "issuer", "name"):
        assert after[name] == before[name]
    assert after["credentialSubject"]["achievement"] == before["credentialSubject"]["achievement"]
    assert after["credentialSubject"]["id"] != before["credentialSubject"]["id"]
    assert after["id"] == f"urn:uuid:{new.id}"

    told = verified(api, old)
    assert (told["status"], told["valid"], told["revoked"]) == ("replaced", False, False)
    assert verified(api, new)["valid"] is True
    assert api.post(f"{path}/replace", {"reason": "Again."}, by=cast.admin).body == answer.body
    assert (events("certificate_replaced"), events("certificate_issued")) == (1, 2)
    assert kpis.totals()["certificates_issued"] == Certificate.objects.count()


def test_replaced_with_a_name_that_is_given(api: Api, cast: Cast, certificate: Certificate) -> None:
    body = {"reason": "Misspelt.", "learnerName": "Māia Lindqvist"}
    answer = api.post(f"/certificates/{certificate.id}/replace", body, by=cast.admin)
    assert answer.body["certificate"]["learner"]["name"] == "Māia Lindqvist"
    cast.learner.refresh_from_db()
    assert cast.learner.name == "Maya Lindqvist"
    path = f"/certificates/{answer.body['certificate']['id']}/replace"
    third = api.post(path, {"reason": "Back."}, by=cast.admin)
    assert third.body["certificate"]["learner"]["name"] == "Maya Lindqvist"
    assert Certificate.objects.standing().count() == 1


def test_what_was_altered_is_not_replaced(api: Api, cast: Cast, certificate: Certificate) -> None:
    altered = certificate.credential.document.replace("Fire Safety", "Brain Surgery")
    Credential.objects.update(document=altered, digest=proofs.digest_of_text(altered))
    body = {"reason": "misspelt", "learnerName": "Maja Lindqvist"}
    answer = api.post(f"/certificates/{certificate.id}/replace", body, by=cast.admin)
    assert (answer.status, answer.code, Certificate.objects.count()) == (409, "CONFLICT", 1)


def test_what_cannot_be_replaced(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}/replace"

    def refusal(name: str = "Maja") -> str:
        answer = api.post(path, {"reason": "x", "learnerName": name}, by=cast.admin)
        assert answer.status == 409
        return str(answer.body["error"]["message"])

    assert "bears this name already" in refusal("Maya Lindqvist")
    suspend(certificate.id, "x", actor=ACTOR)
    assert "Reinstate it first" in refusal()
    reinstate(certificate.id, "x", actor=ACTOR)
    Certificate.objects.update(expires_at=certificate.issued_at + timedelta(seconds=1))
    with clock.moved_to(clock.now() + timedelta(days=1)):
        with pytest.raises(Conflict, match="has expired"):
            replace(certificate.id, "x", learner_name="Maja", actor=ACTOR)
        complete(cast.learner, cast.track)
    Certificate.objects.filter(id=certificate.id).update(expires_at=None)
    assert "Replace its successor" in refusal()
    for bad in ("", "x" * 256, None, 1, "a\nb"):
        assert api.post(path, {"reason": "x", "learnerName": bad}, by=cast.admin).status == 400
    assert Certificate.objects.filter(replaced_at__isnull=False).count() == 0


@given(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=60))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_names_of_all_scripts(certificate: Certificate, name: str) -> None:
    current = Certificate.objects.standing().get()
    if name == current.learner_name:
        return
    new = replace(current.id, "x", learner_name=name, actor=ACTOR).replaced_by
    assert new is not None
    assert is_genuine(new.credential, new.signature)
    assert json.loads(new.credential.document)["credentialSubject"]["name"] == name


# -- as it was --


def test_history_at_any_time(api: Api, cast: Cast) -> None:
    """Each change in turn; afterwards every moment in between still tells what was."""
    start = clock.now() - timedelta(days=100)

    def day(number: int) -> datetime:
        return start + timedelta(days=number)

    track = make_track(cast.organization, items=1, valid_months=2)
    with clock.moved_to(day(0)):
        [first] = complete(cast.learner, track).certificates
    with clock.moved_to(day(10)):
        suspend(first.id, "x", actor=ACTOR)
    with clock.moved_to(day(20)):
        reinstate(first.id, "x", actor=ACTOR)
    with clock.moved_to(day(22)):
        suspend(first.id, "x", actor=ACTOR)
    with clock.moved_to(day(24)):
        reinstate(first.id, "x", actor=ACTOR)
    with clock.moved_to(day(30)):
        second = replace(first.id, "x", learner_name="Maja", actor=ACTOR).replaced_by
    assert second is not None
    with clock.moved_to(day(70)):
        suspend(second.id, "x", actor=ACTOR)
    with clock.moved_to(day(80)):
        revoke(second.id, "x", actor=ACTOR)
    expected = {
        -1: [],
        5: [(first, "valid")],
        15: [(first, "suspended")],
        21: [(first, "valid")],
        23: [(first, "suspended")],
        25: [(first, "valid")],
        40: [(first, "replaced"), (second, "valid")],
        65: [(first, "replaced"), (second, "expired")],
        75: [(first, "replaced"), (second, "suspended")],
        90: [(first, "replaced"), (second, "revoked")],
    }
    for number, then in expected.items():
        wanted = {(str(certificate.id), status) for certificate, status in then}
        path = f"/certificates?asOf={rfc3339(day(number))}"
        rows = api.get(path, by=cast.admin).body["certificates"]
        assert {(row["id"], row["status"]) for row in rows} == wanted, number
        successors = {row["id"]: row["replacedBy"] for row in rows if row["replacedBy"]}
        assert successors == ({str(first.id): str(second.id)} if number > 30 else {}), number
        by_status = {
            (row["id"], status.value)
            for status in Status
            for row in api.get(f"{path}&status={status}", by=cast.admin).body["certificates"]
        }
        assert by_status == wanted, number


def test_the_list_of_a_past_moment_asks_no_more_for_many(api: Api, cast: Cast) -> None:
    def cost() -> int:
        path = f"/certificates?asOf={rfc3339(then)}"
        with CaptureQueriesContext(connection) as queries:
            rows = api.get(path, by=cast.admin).body["certificates"]
        assert {row["status"] for row in rows} == {"suspended"}
        return len(queries)

    def more(number: int) -> list[Certificate]:
        made = [complete(make_user(cast.organization), cast.track).certificates[0] for _ in range(number)]
        suspend_many([each.id for each in made], "x", actor=ACTOR)
        return made

    made = more(6)
    then = clock.now()
    cost()
    reinstate_many([each.id for each in made[:2]], "x", actor=ACTOR)
    few = cost()
    reinstate_many([each.id for each in made], "x", actor=ACTOR)
    assert cost() == few


# -- many --


def test_many_at_once_are_written_once_per_list(cast: Cast) -> None:
    made = [complete(make_user(cast.organization), cast.track).certificates[0] for _ in range(5)]
    revoke(made[0].id, "x", actor=ACTOR)
    ids = [each.id for each in made]
    with CaptureQueriesContext(connection) as queries:
        assert suspend_many([*ids, ids[1]], "An inquiry.", actor=ACTOR) == 4
    writes = [query["sql"] for query in queries if query["sql"].startswith('UPDATE "status_lists"')]
    assert len(writes) == 1
    assert [holds(each) for each in made] == [False] * 5
    assert events("certificate_suspended") == 4
    assert reinstate_many(ids[:3], "x", actor=ACTOR) == 2
    assert [holds(each) for each in made] == [False, True, True, False, False]
    assert revoke_many(ids, "x", actor=ACTOR, code=RevocationCode.MISCONDUCT) == 4
    assert not any(holds(each) for each in made)
    assert events("certificate_revoked") == 5
    assert kpis.totals()["certificates_revoked"] == 5


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_in_parallel_every_bit_and_row_agree() -> None:
    """Single and bulk changes of the same certificates, all at once: no deadlock, one event per change, right bits."""
    cast = make_cast()
    made = [complete(make_user(cast.organization), cast.track).certificates[0] for _ in range(8)]
    ids = [each.id for each in made]
    at_once(
        [
            lambda: suspend_many(ids, "x", actor=ACTOR),
            lambda: suspend_many(ids[::-1], "x", actor=ACTOR),
            lambda: revoke_many(ids[:4], "x", actor=ACTOR, code=RevocationCode.OTHER),
            *[lambda each=each: revoke(each, "x", actor=ACTOR) for each in ids[2:6]],
        ]
    )
    for certificate in Certificate.objects.all():
        assert bool(certificate.revoked_at) == (certificate.id in ids[:6])
        assert not holds(certificate)
    assert events("certificate_revoked") == 6
    assert events("certificate_suspended") == Suspension.objects.count()
    assert reinstate_many(ids, "x", actor=ACTOR) == 2
    assert [holds(each) for each in made] == [False] * 6 + [True] * 2


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_replaced_by_many_at_once_there_is_one_successor() -> None:
    cast = make_cast()
    [old] = complete(cast.learner, cast.track).certificates
    done = at_once([lambda: replace(old.id, "x", learner_name="Maja", actor=ACTOR)] * 5)
    assert len({each.replaced_by_id for each in done}) == 1
    assert Certificate.objects.count() == Credential.objects.count() == 2
