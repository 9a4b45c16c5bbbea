"""What credentials say, and that they are what others call an Open Badge."""

import hashlib
import json
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft201909Validator
from pyld import jsonld as pyld

from cerply import clock
from cerply.accounts.models import Organization
from cerply.clock import rfc3339_seconds
from cerply.tracks.models import Item, Track
from certificates import jsonld, proofs, shape
from certificates.issuing import Achievement, issue
from certificates.models import Certificate, Credential, Source
from certificates.signing import is_genuine
from gamification.completing import complete_outside
from tests.factories import ACTOR, Cast, complete, make_cast, make_track, make_user

SCHEMA = Path(__file__).parent / "schemas" / "ob_v3p0_achievementcredential_schema.json"
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).map(str.strip).filter(bool)


@cache
def official() -> Draft201909Validator:
    schema = json.loads(SCHEMA.read_text())
    return Draft201909Validator(schema, format_checker=Draft201909Validator.FORMAT_CHECKER)


def document_of(certificate: Certificate) -> dict[str, Any]:
    return dict(json.loads(certificate.credential.document))


def dropped(document: dict[str, Any]) -> set[str]:
    """Terms that no context defines: they vanish when the document is expanded and compacted again."""
    options = {"documentLoader": jsonld.load}
    back = pyld.compact(pyld.expand(document, options), document["@context"], options)

    def terms(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {term for inner in value.values() for term in terms(inner)}
        if isinstance(value, list):
            return {term for inner in value for term in terms(inner)}
        return set()

    return terms(document) - terms(back)


def test_it_is_an_open_badge(cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    document = document_of(certificate)
    assert [error.message for error in official().iter_errors(document)] == []
    assert dropped(document) == set()
    assert document["id"] == f"urn:uuid:{certificate.id}"
    assert document["type"] == ["VerifiableCredential", "OpenBadgeCredential"]
    assert document["validFrom"] == rfc3339_seconds(certificate.issued_at)
    assert document["issuer"]["name"] == "Nordlys Energy"
    subject = document["credentialSubject"]
    assert subject["name"] == "Maya Lindqvist"
    assert subject["id"].startswith("urn:uuid:")
    assert str(cast.learner.id) not in certificate.credential.document
    assert document["proof"]["proofValue"] == certificate.signature
    assert document["proof"]["cryptosuite"] == "eddsa-rdfc-2022"


def test_two_credentials_of_one_learner_have_nothing_in_common_that_names_her(cast: Cast) -> None:
    [first] = complete(cast.learner, cast.track).certificates
    [second] = complete(cast.learner, make_track(cast.organization, items=1)).certificates
    assert document_of(first)["credentialSubject"]["id"] != document_of(second)["credentialSubject"]["id"]


def test_it_tells_where_the_answers_came_from(cast: Cast) -> None:
    [own] = complete(cast.learner, cast.track).certificates
    [systems] = complete(cast.colleague, cast.track, source=Source.SYSTEM).certificates
    outside = complete_outside(cast.auditor, cast.track, actor=ACTOR).certificate
    assert outside is not None
    genres = [document_of(certificate)["evidence"][0]["genre"] for certificate in (own, systems, outside)]
    assert genres == ["self", "system", "outside"]


def test_the_achievement_is_a_version_of_the_track(cast: Cast) -> None:
    Track.objects.filter(id=cast.track.id).update(description="What to do when it burns.", criteria="Put out a fire.")
    [first] = complete(cast.learner, cast.track).certificates
    [same] = complete(cast.colleague, cast.track).certificates
    Track.objects.filter(id=cast.track.id).update(criteria="Put out two fires.")
    [changed] = complete(make_user(cast.organization), cast.track).certificates
    one, two, three = (document_of(each)["credentialSubject"]["achievement"] for each in (first, same, changed))
    assert one == two
    assert (one["version"], three["version"]) == ("1", "2")
    assert one["id"] != three["id"]
    assert one["description"] == "What to do when it burns."
    assert [one["criteria"]["narrative"], three["criteria"]["narrative"]] == ["Put out a fire.", "Put out two fires."]


def test_many_at_once_are_one_version(cast: Cast) -> None:
    learners = [make_user(cast.organization) for _ in range(5)]
    issued = issue([Achievement(learner, cast.track, Source.SYSTEM) for learner in learners], actor=ACTOR)
    assert len({certificate.track_version_id for certificate in issued}) == 1
    assert len({certificate.credential.status_index for certificate in issued}) == 5


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES, title=NAMES)
def test_any_name_is_signed_as_it_is(name: str, title: str) -> None:
    cast = make_cast()
    cast.learner.name = name
    track = make_track(cast.organization, items=1, title=title)
    [certificate] = issue([Achievement(cast.learner, track, Source.SYSTEM)], actor=ACTOR)
    document = document_of(certificate)
    assert document["credentialSubject"]["name"] == name
    assert document["credentialSubject"]["achievement"]["name"] == title
    assert proofs.digest(document, document["proof"]) == bytes(certificate.credential.digest)
    assert is_genuine(certificate.credential, certificate.signature)


def test_control_characters_are_spaces(cast: Cast) -> None:
    """Libraries hash them differently, so nobody else would find the signature right."""
    Track.objects.filter(id=cast.track.id).update(criteria="One.\x0bTwo.\r\n\tThree.\x7f")
    cast.learner.name = "Maya\x1fLindqvist\x08"
    [certificate] = issue([Achievement(cast.learner, cast.track, Source.SYSTEM)], actor=ACTOR)
    subject = document_of(certificate)["credentialSubject"]
    assert subject["name"] == "Maya Lindqvist "
    assert subject["achievement"]["criteria"]["narrative"] == "One. Two.\r\n\tThree. "


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """To each text of a document."""
    if isinstance(value, dict):
        return [found for name, inner in value.items() for found in paths(inner, (*path, name))]
    if isinstance(value, list):
        return [found for index, inner in enumerate(value) for found in paths(inner, (*path, index))]
    return [path]


def test_no_field_can_be_changed_without_being_noticed(cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    credential, text = certificate.credential, certificate.credential.document
    for path in paths(json.loads(text)):
        document = json.loads(text)
        *way, last = path
        inner = document
        for step in way:
            inner = inner[step]
        inner[last] = f"{inner[last]}x"
        credential.document = json.dumps(document)
        if path == ("proof", "proofValue"):
            assert not is_genuine(credential, document["proof"]["proofValue"])
        else:
            assert not is_genuine(credential, credential.proof_value), path
    credential.document = text
    assert is_genuine(credential, credential.proof_value)


def test_of_an_erased_one_the_signature_still_verifies(cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    Credential.objects.update(document="")
    credential = Credential.objects.select_related("key").get()
    assert is_genuine(credential, certificate.signature)
    assert not is_genuine(credential, proofs.encode(bytes(64)))


def test_time_is_told_in_whole_seconds_as_every_verifier_reads_them_alike(cast: Cast) -> None:
    moment = (clock.now() - timedelta(days=1)).replace(microsecond=120_000)
    with clock.moved_to(moment):
        [certificate] = complete(cast.learner, cast.track).certificates
    document = document_of(certificate)
    told = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    assert (document["validFrom"], document["proof"]["created"]) == (told, told)
    assert certificate.issued_at == moment.replace(microsecond=0)


def test_an_address_is_in_it_only_where_the_organization_wants_it_and_then_hashed(cast: Cast) -> None:
    cast.learner.email = "Maya@Example.com"
    cast.learner.save()
    [without] = complete(cast.learner, cast.track).certificates
    assert "identifier" not in document_of(without)["credentialSubject"]
    Organization.objects.update(certifies_email=True, website="https://nordlys.example")
    documents = [
        document_of(certificate)
        for _ in range(2)
        for certificate in complete(cast.learner, make_track(cast.organization, items=1)).certificates
    ]
    salts = set()
    for document in documents:
        assert [error.message for error in official().iter_errors(document)] == []
        assert dropped(document) == set()
        assert list(shape.misfits(document)) == []
        assert document["issuer"]["url"] == "https://nordlys.example"
        [identifier] = document["credentialSubject"]["identifier"]
        expected = hashlib.sha256(f"maya@example.com{identifier['salt']}".encode()).hexdigest()
        assert identifier["identityHash"] == f"sha256${expected}"
        assert len(bytes.fromhex(identifier["salt"])) == 16
        assert "example.com" not in json.dumps(document).lower()
        salts.add(identifier["salt"])
    assert len(salts) == 2


def test_a_long_track_makes_no_long_credential(cast: Cast) -> None:
    track = make_track(cast.organization, items=0)
    Item.objects.bulk_create(Item(track=track, title="x" * 255, position=number) for number in range(1000))
    [certificate] = issue([Achievement(cast.learner, track, Source.SYSTEM)], actor=ACTOR)
    assert len(certificate.credential.document) < 10_000
    assert "and 980 more." in certificate.credential.document
