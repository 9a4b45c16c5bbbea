"""Status lists: who gets which slot, and that a revocation is seen."""

import gzip
import json
from base64 import urlsafe_b64decode
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from django.test import Client

from cerply import clock
from certificates import proofs, status_lists
from certificates.issuers import issuer_of
from certificates.keys import signer_of
from certificates.models import SLOTS, Credential, StatusList, StatusSlot
from certificates.revoking import revoke
from tests.factories import ACTOR, Cast, complete, make_cast, make_user
from tests.threads import at_once


def fetch(status_list: StatusList, **headers: str) -> Any:
    return Client().get(f"/status/{status_list.id}", headers=headers)


def document_of(status_list: StatusList) -> dict[str, Any]:
    return dict(json.loads(fetch(status_list).content))


def bits(status_list: StatusList) -> bytes:
    encoded = document_of(status_list)["credentialSubject"]["encodedList"]
    assert encoded[0] == "u"
    return gzip.decompress(urlsafe_b64decode(encoded[1:] + "=" * (-len(encoded[1:]) % 4)))


def is_set(list_: bytes, index: int) -> bool:
    """As the specification counts: index 0 is the leftmost bit of the first byte."""
    return bool(list_[index // 8] >> (7 - index % 8) & 1)


def test_a_revocation_sets_its_own_bit_and_no_other(cast: Cast) -> None:
    certificates = [complete(make_user(cast.organization), cast.track).certificates[0] for _ in range(5)]
    status_list = StatusList.objects.get()
    before = bits(status_list)
    assert len(before) == SLOTS // 8
    assert not any(before)
    revoke(certificates[2].id, "A mistake.", actor=ACTOR)
    after = bits(status_list)
    assert [is_set(after, certificate.credential.status_index) for certificate in certificates] == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert sum(byte.bit_count() for byte in after) == 1


@pytest.mark.parametrize("index", [0, 1, 7, 8, 1234, SLOTS - 1])
def test_bits_are_counted_from_the_left(cast: Cast, index: int) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    credential = certificate.credential
    credential.status_index = index
    status_lists.mark(credential, holds=False)
    assert is_set(bits(StatusList.objects.get()), index)
    status_lists.mark(credential, holds=True)
    assert not any(bits(StatusList.objects.get()))


def test_the_list_is_signed_by_its_issuer(cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    key = bytes(certificate.credential.key.public_key)
    answer = fetch(StatusList.objects.get())
    assert answer.headers["Content-Type"] == "application/vc"
    document = json.loads(answer.content)
    assert document["issuer"] == json.loads(certificate.credential.document)["issuer"]["id"]
    assert proofs.verifies(key, proofs.digest(document, document["proof"]), document["proof"]["proofValue"])


def test_it_is_a_jwt_for_whoever_prefers_one(cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    status_list = StatusList.objects.get()
    for accept in ("application/vc+jwt", "application/jwt", "application/vc;q=0.1, application/vc+jwt"):
        answer = fetch(status_list, accept=accept)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/vc+jwt")
        assert "Accept" in answer.headers["Vary"]
    content, signature = answer.content.rsplit(b".", 1)
    public_key = Ed25519PublicKey.from_public_bytes(bytes(certificate.credential.key.public_key))
    public_key.verify(urlsafe_b64decode(signature + b"=="), content)
    header, payload = (json.loads(urlsafe_b64decode(part + b"==")) for part in content.split(b"."))
    assert header["alg"] == "EdDSA"
    assert header["kid"].startswith(header["iss"])
    assert payload["credentialSubject"] == document_of(status_list)["credentialSubject"]


@pytest.mark.parametrize("accept", ["text/html", "*/*", "nonsense", "application/ld+json", "application/json"])
def test_accept_never_changes_the_status(cast: Cast, accept: str) -> None:
    complete(cast.learner, cast.track)
    answer = fetch(StatusList.objects.get(), accept=accept)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] in {"application/vc", "application/json", "application/ld+json"}
    assert json.loads(answer.content)["credentialSubject"]["statusPurpose"] == "revocation"


def test_it_is_signed_again_before_it_lapses(cast: Cast) -> None:
    complete(cast.learner, cast.track)
    status_list = StatusList.objects.get()
    first = document_of(status_list)
    assert document_of(status_list) == first
    assert status_lists.sign_lapsing() == "Signed 0 status lists."
    with clock.moved_to(clock.now() + status_lists.VALIDITY * 0.6):
        assert status_lists.sign_lapsing() == "Signed 1 status lists."
        second = document_of(status_list)
    assert datetime.fromisoformat(second["validUntil"]) > datetime.fromisoformat(first["validUntil"])
    assert datetime.fromisoformat(second["validUntil"]) - clock.now() > timedelta(hours=24)


def test_when_a_list_is_full_the_next_one_begins(cast: Cast) -> None:
    issuer = issuer_of(cast.organization)
    signer_of(cast.organization.id, actor=ACTOR)
    [slot] = status_lists.take_slots(issuer, 1)
    StatusSlot.objects.bulk_create(
        [
            StatusSlot(status_list=slot.status_list, index=index)
            for index in range(SLOTS)
            if index not in {slot.index, 5}
        ],
        batch_size=20_000,
    )
    slots = status_lists.take_slots(issuer, 3)
    numbers = {slot.status_list.number for slot in slots}
    assert numbers <= {1, 2}
    assert 2 in numbers
    assert len({(slot.status_list_id, slot.index) for slot in slots}) == 3


def test_a_batch_larger_than_a_list(cast: Cast) -> None:
    slots = status_lists.take_slots(issuer_of(cast.organization), 500)
    assert len({slot.index for slot in slots}) == 500
    assert {slot.status_list.number for slot in slots} == {1}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_issued_in_parallel_no_two_share_a_slot() -> None:
    cast = make_cast()
    learners = [make_user(cast.organization) for _ in range(16)]
    at_once([lambda learner=learner: complete(learner, cast.track) for learner in learners])  # type: ignore[misc]
    assert Credential.objects.count() == 16
    assert Credential.objects.values("status_list", "status_index").distinct().count() == 16


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_revoked_in_parallel_no_bit_is_lost() -> None:
    cast = make_cast()
    certificates = [complete(make_user(cast.organization), cast.track).certificates[0] for _ in range(12)]
    calls = [lambda each=each: revoke(each.id, "x", actor=ACTOR) for each in certificates]
    at_once([*calls, *[lambda: fetch(StatusList.objects.get())] * 4])
    list_ = bits(StatusList.objects.get())
    assert all(is_set(list_, certificate.credential.status_index) for certificate in certificates)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_revocation_that_is_taken_back_leaves_no_bit() -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    with transaction.atomic():
        revoke(certificate.id, "x", actor=ACTOR)
        transaction.set_rollback(True)
    assert not any(bits(StatusList.objects.get()))
