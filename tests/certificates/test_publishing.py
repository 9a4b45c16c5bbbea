"""What verifiers fetch."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from certificates import keys, proofs
from certificates.models import Certificate, Issuer, SigningKey, StatusList
from tests.factories import ACTOR, Cast, complete


@pytest.fixture
def certificate(cast: Cast) -> Certificate:
    return complete(cast.learner, cast.track).certificates[0]


def document(path: str) -> dict[str, Any]:
    answer = Client().get(path)
    assert answer.status_code == 200
    return dict(answer.json())


def test_the_did_document_has_every_key_that_counts(cast: Cast, certificate: Certificate) -> None:
    issuer = Issuer.objects.get()
    rotated = keys.rotate(cast.organization.id, actor=ACTOR)
    answer = Client().get(f"/issuers/{issuer.id}/did.json")
    assert answer.headers["Content-Type"] == "application/did+json"
    found = answer.json()
    assert found["id"] == f"did:web:127.0.0.1%3A8080:issuers:{issuer.id}"
    methods = {method["id"].rpartition("#")[2]: method for method in found["verificationMethod"]}
    assert set(methods) == {str(rotated.id), str(certificate.credential.key_id)}
    assert set(found["assertionMethod"]) == {method["id"] for method in methods.values()}
    for key in SigningKey.objects.all():
        method = methods[str(key.id)]
        assert method["publicKeyMultibase"] == proofs.multikey(bytes(key.public_key))
        assert (method["type"], method["controller"]) == ("Multikey", found["id"])
    key_set = document(f"/issuers/{issuer.id}/jwks.json")["keys"]
    assert {key["kid"] for key in key_set} == set(found["assertionMethod"])


def test_one_organization_says_nothing_of_another(cast: Cast, certificate: Certificate) -> None:
    complete(cast.outsider, cast.outside_track)
    issuer = Issuer.objects.get(organization=cast.organization)
    assert len(document(f"/issuers/{issuer.id}/did.json")["verificationMethod"]) == 1
    assert str(cast.organization.id) not in Client().get(f"/issuers/{issuer.id}/did.json").content.decode()


def test_everybody_may_fetch_and_keep_them_for_a_minute(cast: Cast, certificate: Certificate) -> None:
    issuer, version = certificate.credential.issuer_id, certificate.track_version_id
    paths = [f"/issuers/{issuer}/did.json", f"/issuers/{issuer}/jwks.json", f"/status/{StatusList.objects.get().id}"]
    for path in [*paths, f"/achievements/{version}"]:
        # Who asks does not matter, not even with a credential that is wrong.
        answer = Client().get(path, headers={"Authorization": "Bearer nonsense"})
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cache-Control"] == "public, max-age=60"
        assert answer.headers["Vary"] == "Accept"
        assert Client().head(path).status_code == 200
        assert Client().post(path).status_code == 405


def test_a_page_of_somebody_else_may_fetch_them(cast: Cast, certificate: Certificate) -> None:
    """Some verifiers run in a browser, and it asks first whether they may send what they send (Fetch, CORS)."""
    asking = {
        "Origin": "https://verifier.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "cache-control,pragma",
    }
    for path in (f"/issuers/{certificate.credential.issuer_id}/did.json", f"/status/{StatusList.objects.get().id}"):
        answer = Client().options(path, headers=asking)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Headers"] == "*"
        assert "GET" in answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("path", ["/issuers/{}/did.json", "/issuers/{}/jwks.json", "/status/{}", "/achievements/{}"])
def test_what_is_not_there(db: None, path: str) -> None:
    unknown = Client().get(path.format(uuid4()))
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert "no-store" in unknown.headers["Cache-Control"]
    assert Client().get(path.format("nonsense")).status_code == 400


def test_an_achievement_is_what_credentials_say(cast: Cast, certificate: Certificate) -> None:
    found = document(f"/achievements/{certificate.track_version_id}")
    assert found["name"] == "Fire Safety Fundamentals"
    assert found["id"].endswith(f"/achievements/{certificate.track_version_id}")
