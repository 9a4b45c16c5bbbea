"""A certificate is replaced by one with another name."""

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import kpis
from cerply import clock
from cerply.errors import Conflict
from certificates import proofs
from certificates.models import Certificate, Credential
from certificates.replacing import replace
from certificates.signing import is_genuine
from certificates.suspending import reinstate, suspend
from tests.api.client import Api
from tests.certificates.standing import events, holds, verified
from tests.factories import ACTOR, Cast, complete, make_cast, make_track
from tests.threads import at_once


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


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_replaced_by_many_at_once_there_is_one_successor() -> None:
    cast = make_cast()
    [old] = complete(cast.learner, cast.track).certificates
    done = at_once([lambda: replace(old.id, "x", learner_name="Maja", actor=ACTOR)] * 5)
    assert len({each.replaced_by_id for each in done}) == 1
    assert Certificate.objects.count() == Credential.objects.count() == 2
