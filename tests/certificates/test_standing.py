"""Revoked with a code, suspended and reinstated: over the API, one by one and many at once."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from audit import kpis
from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.organizations import close_organization
from certificates.models import Certificate, RevocationCode, Suspension
from certificates.replacing import replace
from certificates.representation import SENTENCES
from certificates.revoking import revoke, revoke_many
from certificates.suspending import reinstate, reinstate_many, suspend, suspend_many
from tests.api.client import Api
from tests.certificates.standing import events, holds, verified
from tests.factories import ACTOR, Cast, complete, make_cast, make_user
from tests.threads import at_once

ROUTES = ("revoke", "suspend", "reinstate", "replace")


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
