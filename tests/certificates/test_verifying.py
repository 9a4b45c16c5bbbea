"""What is true of a credential that somebody was shown."""

import json
import signal
from codecs import BOM_UTF8
from collections.abc import Callable
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from certificates import confinement, keys, shape, verifying
from certificates.models import Certificate, Credential
from certificates.revoking import revoke
from certificates.signing_again import sign_again
from tests.api.client import Api
from tests.certificates.verifying import PATH, PDF, failed
from tests.factories import ACTOR, Cast

# -- credentials --


@pytest.mark.parametrize("media_type", ["application/vc", "application/ld+json", "application/json"])
def test_a_genuine_one(api: Api, certificate: Certificate, media_type: str) -> None:
    answer = api.post(PATH, certificate.credential.document.encode(), content_type=media_type)
    assert answer.status == 200
    assert (answer.body["genuine"], answer.body["credentialGenuine"], answer.body["status"]) == (True, True, "valid")
    checks = ["format", "issued", "signature", "content", "key", "status"]
    assert [check["check"] for check in answer.body["checks"]] == checks
    assert failed(answer) == []
    signed = answer.body["signed"]
    assert signed["id"] == certificate.credential.urn
    assert (signed["learnerName"], signed["trackTitle"]) == ("Maya Lindqvist", "Fire Safety Fundamentals")
    assert (signed["organizationName"], signed["source"], signed["trackVersion"]) == ("Nordlys Energy", "self", "1")
    assert answer.body["pageUrl"] == certificate.printed_url
    assert answer.body["identityChecked"] is False
    assert answer.headers["Cache-Control"] == "no-store"


def test_how_it_is_written_does_not_matter(api: Api, document: dict[str, Any]) -> None:
    written = json.dumps(dict(reversed(document.items())), indent=2, ensure_ascii=True)
    assert api.post(PATH, written.encode()).body["genuine"]


def test_a_revoked_one_is_genuine_and_does_not_hold(api: Api, certificate: Certificate) -> None:
    revoke(certificate.id, "A mistake, we think.", actor=ACTOR)
    answer = api.post(PATH, certificate.credential.document.encode())
    assert (answer.body["genuine"], answer.body["status"], failed(answer)) == (True, "revoked", ["status"])
    assert b"we think" not in answer.content


def paths_of(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """To everything in a document that is no object or array."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [path for key, inner in pairs for path in paths_of(inner, (*at, key))]
    return [at]


def altered(document: dict[str, Any], path: tuple[Any, ...], change: Callable[[Any], Any]) -> bytes:
    copy = json.loads(json.dumps(document))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = change(holder[path[-1]])
    return json.dumps(copy).encode()


def test_each_field_counts(api: Api, document: dict[str, Any]) -> None:
    assert len(paths_of(document)) > 30
    for path in paths_of(document):
        answer = api.post(PATH, altered(document, path, lambda value: f"{value}x"))
        assert (answer.body["genuine"], answer.body["credentialGenuine"]) == (False, False), path


def test_where_it_differs_is_told_and_the_original_shown(api: Api, document: dict[str, Any]) -> None:
    document["credentialSubject"]["name"] = "Eve Evil"
    answer = api.post(PATH, document)
    assert failed(answer) == ["content"]
    assert "credentialSubject.name" in answer.body["checks"][3]["message"]
    assert answer.body["signed"]["learnerName"] == "Maya Lindqvist"
    assert b"Eve Evil" not in answer.content


def test_who_knows_the_id_alone_learns_nothing(api: Api, document: dict[str, Any]) -> None:
    """Not even by guessing: the id stands on the page and in the code."""
    for name in ("Maya Lindqvist", "Somebody Else"):
        document["credentialSubject"]["name"] = name
        document["proof"]["proofValue"] = "z" + "1" * 87
        answer = api.post(PATH, document)
        assert failed(answer) == ["signature"]
        assert (answer.body["signed"], answer.body["status"], answer.body["pageUrl"]) == (None, None, None)
        assert b"Maya" not in answer.content


MISFITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "an unsigned field": lambda d: {**d, "note": "with distinction"},
    "a field that the contexts know": lambda d: {**d, "termsOfUse": {"type": "x"}},
    "an empty one": lambda d: {**d, "refreshService": []},
    "null": lambda d: {**d, "validUntil": None},
    "the status by its absolute name": lambda d: {
        **{name: value for name, value in d.items() if name != "credentialStatus"},
        "https://www.w3.org/2018/credentials#credentialStatus": d["credentialStatus"],
    },
    "no status": lambda d: {name: value for name, value in d.items() if name != "credentialStatus"},
    "another context": lambda d: {**d, "@context": [*d["@context"], "https://evil.example/context"]},
    "a context of its own": lambda d: {**d, "@context": [*d["@context"], {"name": "https://evil.example/name"}]},
    "the contexts in another order": lambda d: {**d, "@context": d["@context"][::-1]},
    "the subject in an array": lambda d: {**d, "credentialSubject": [d["credentialSubject"]]},
    "two proofs": lambda d: {**d, "proof": [d["proof"], d["proof"]]},
    "a number for a text": lambda d: {**d, "name": 1},
    "an extra field deep inside": lambda d: {**d, "issuer": {**d["issuer"], "@type": "x"}},
}


@pytest.mark.parametrize("misfit", MISFITS.values(), ids=MISFITS.keys())
@pytest.mark.parametrize("erased", [False, True], ids=["", "erased"])
def test_what_does_not_have_our_shape(
    api: Api, document: dict[str, Any], misfit: Callable[[dict[str, Any]], Any], erased: bool
) -> None:
    if erased:
        Credential.objects.update(document="")
    answer = api.post(PATH, misfit(document))
    assert (answer.body["genuine"], failed(answer), len(answer.body["checks"])) == (False, ["format"], 1)
    assert answer.body["signed"] is None


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"null", b'"x"', b"{}", b'{"a":1,"a":2}', b"NaN", b"\xff", b'"\\ud800"', b"[" * 60_000]
)
def test_what_is_no_credential(api: Api, content: bytes) -> None:
    answer = api.post(PATH, content)
    assert (answer.status, answer.body["genuine"], failed(answer)) == (200, False, ["format"])


def test_ids_that_we_have_not_issued(api: Api, document: dict[str, Any]) -> None:
    for id_ in (f"urn:uuid:{uuid4()}", document["id"].upper(), document["id"].removeprefix("urn:uuid:"), "x", ""):
        answer = api.post(PATH, {**document, "id": id_})
        assert failed(answer) == ["issued"]


def test_a_row_that_was_tampered_with(api: Api, certificate: Certificate) -> None:
    """What is in the database counts for as much as its signature."""
    tampered = certificate.credential.document.replace("Maya Lindqvist", "Somebody Else")
    Credential.objects.update(document=tampered)
    answer = api.post(PATH, tampered.encode())
    assert (answer.body["genuine"], failed(answer), answer.body["signed"]) == (False, ["signature"], None)


def test_what_a_compromised_key_signed(api: Api, certificate: Certificate) -> None:
    before = certificate.credential.document.encode()
    keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="x")
    answer = api.post(PATH, before)
    assert (answer.body["genuine"], failed(answer), answer.body["signed"]) == (False, ["key"], None)
    sign_again()
    answer = api.post(PATH, before)
    assert (answer.body["genuine"], failed(answer)) == (False, ["signature", "key"])
    assert "ask for the new file" in answer.body["message"]
    assert api.post(PATH, Credential.objects.get().document.encode()).body["genuine"]


def test_limits_and_media_types(api: Api, certificate: Certificate, document: dict[str, Any]) -> None:
    assert api.post(PATH, b"").status == 400
    padded = json.dumps(document).encode() + b" " * 64 * 1024
    assert api.post(PATH, padded).status == 413
    assert api.post(PATH, b"%PDF-" + b"x" * 1024 * 1024, **PDF).status == 413
    assert api.post(PATH, b"x", content_type="text/plain").status == 415
    assert api.get(PATH).status == 405
    assert api.post(PATH, document, by="nonsense").status == 401


@pytest.mark.slow
@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.integers(0, 1000), value=st.none() | st.booleans() | st.integers() | st.text() | st.just([]) | st.just({})
)
def test_whatever_stands_in_its_place(certificate: Certificate, path: int, value: Any) -> None:
    document = json.loads(certificate.credential.document)
    paths = paths_of(document)
    chosen = paths[path % len(paths)]
    changed = altered(document, chosen, lambda _: value)
    verdict = verifying.verify_credential(changed)
    assert verdict.is_genuine == (json.loads(changed) == document)


def test_all_that_we_issue_has_the_shape(cast: Cast, document: dict[str, Any]) -> None:
    assert list(shape.misfits(document)) == []
    assert list(shape.differences(document, {**document, "evidence": []})) == ["evidence"]
    assert list(shape.differences({"a": True}, {"a": 1})) == ["a"]


def test_a_byte_order_mark_and_a_pdf_in_a_name_do_not_matter(certificate: Certificate) -> None:
    content = certificate.credential.document.encode()
    assert verifying.verify_file(BOM_UTF8 + content).is_genuine
    [first, *_] = verifying.verify_file(b'{"name": "%PDF-"}').checks
    assert (first.what, first.passed) == ("format", False)


def test_while_as_many_are_looked_into_as_may_no_other_is(api: Api, db: None) -> None:
    content = b"%PDF-1.7 not one of ours"
    another = connection.copy()
    try:
        with another.cursor() as cursor:
            for slot in confinement.SLOTS:
                cursor.execute("SELECT pg_advisory_lock(%s)", [slot])
            answer = api.post(PATH, content, **PDF)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
            page = Client().post("/verify", {"file": BytesIO(content)})
            assert page.status_code == 503
            cursor.execute("SELECT pg_advisory_unlock(%s)", [confinement.SLOTS[-1]])
            assert api.post(PATH, content, **PDF).status == 200
    finally:
        another.close()


def test_what_it_costs(api: Api, certificate: Certificate) -> None:
    with CaptureQueriesContext(connection) as queries:
        api.post(PATH, certificate.credential.document.encode())
    assert len(queries) <= 8


# -- erased --


def test_an_erased_one_is_known_by_its_digest(api: Api, certificate: Certificate, document: dict[str, Any]) -> None:
    Credential.objects.update(document="")
    answer = api.post(PATH, document)
    assert (answer.body["genuine"], failed(answer)) == (True, [])
    assert answer.body["signed"]["learnerName"] is None
    assert answer.body["signed"]["trackTitle"] == "Fire Safety Fundamentals"
    assert b"Maya" not in answer.content
    document["credentialSubject"]["name"] = "Eve Evil"
    answer = api.post(PATH, document)
    assert (answer.body["genuine"], failed(answer), answer.body["signed"]) == (False, ["content"], None)


@pytest.mark.slow
def test_who_needs_more_than_a_second_is_ended(certificate: Certificate, document: dict[str, Any]) -> None:
    """Blank nodes that look alike: canonicalizing takes time that grows with their factorial."""
    nodes = [{"id": f"_:b{n}", "hasPart": [{"id": f"_:b{m}"} for m in range(9) if m != n]} for n in range(9)]
    document["credentialSubject"] = {"id": "urn:x", "related": nodes}
    document["@context"] = [document["@context"][0], {"@vocab": "https://evil.example/"}]
    with pytest.raises(confinement.TooMuchEffort, match=f"ended with -{signal.SIGPROF:d}"):
        confinement.run("digest", json.dumps(document).encode())
