"""The documents that verifiers fetch, read with what others wrote for it."""

import json
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from openbadgeslib.ob3 import (
    OB3VerificationError,
    add_data_integrity_proof,
    decode_encoded_list,
    resolve_verification_method,
    set_indices,
    verify_data_integrity_proof,
)

from certificates import keys, proofs
from certificates.models import Certificate, SigningKey, StatusList
from certificates.revoking import revoke
from tests.factories import ACTOR, Cast, complete, make_cast
from tests.interop.making import document_of, make_credential
from tests.interop.serving import Website
from tests.interop.verifiers import DigitalBazaar, Document, VerifierCore, Word, ask_node

pytestmark = pytest.mark.slow

VECTORS = Path(__file__).parents[1] / "certificates" / "vectors"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"


@pytest.fixture
def cast(website: Website) -> Cast:
    return make_cast()


@pytest.fixture
def certificate(cast: Cast) -> Certificate:
    """A revoked one, after which the key was rotated."""
    [certificate] = complete(cast.learner, cast.track).certificates
    revoke(certificate.id, "A mistake.", actor=ACTOR)
    keys.rotate(cast.organization.id, actor=ACTOR)
    return certificate


def pem(public_key: bytes) -> bytes:
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def status_list(website: Website) -> Document:
    return dict(json.loads(website.fetch(StatusList.objects.get().url)))


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize("judge", [DigitalBazaar, VerifierCore])
def test_the_status_list_is_a_credential(
    website: Website, certificate: Certificate, judge: type[DigitalBazaar | VerifierCore]
) -> None:
    document = status_list(website)
    other = document | {"credentialSubject": document["credentialSubject"] | {"statusPurpose": "suspension"}}
    empty = document["credentialSubject"] | {"encodedList": "uH4sIAAAAAAAAA2NgAAUAAP__AAAAAA"}
    verdicts = judge(website).judge([document, other, document | {"credentialSubject": empty}])
    assert [verdict.word for verdict in verdicts] == [Word.VALID, Word.REFUSED, Word.REFUSED], verdicts


def test_openbadgeslib_reads_the_status_list(website: Website, certificate: Certificate) -> None:
    """It verifies the proof when it is told to, and finds the same bit set."""
    document = status_list(website)
    verify_data_integrity_proof(document, pem(bytes(SigningKey.objects.active().get().public_key)))
    with pytest.raises(OB3VerificationError, match="signature mismatch"):
        verify_data_integrity_proof(document, pem(bytes(certificate.credential.key.public_key)))
    bits = decode_encoded_list(document["credentialSubject"]["encodedList"])
    assert set_indices(bits) == {certificate.credential.status_index}


def test_the_status_list_as_a_jwt(website: Website, certificate: Certificate) -> None:
    """Verified by PyJWT, with the key that the issuer's JWK Set has under the token's ``kid``."""
    token = website.fetch(StatusList.objects.get().url, Accept="application/vc+jwt").decode()
    issuer = certificate.credential.issuer
    key_set = jwt.PyJWKSet.from_json(website.fetch(f"{website.url}/issuers/{issuer.id}/jwks.json").decode())
    kid = jwt.get_unverified_header(token)["kid"]
    claims = jwt.decode(token, key_set[kid], algorithms=["EdDSA"])
    assert claims["credentialSubject"] == status_list(website)["credentialSubject"]
    [other] = [key for key in key_set.keys if key.key_id != kid]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, other, algorithms=["EdDSA"])


@pytest.mark.usefixtures("node")
def test_the_did_document(website: Website, certificate: Certificate) -> None:
    """Each term of it is defined, and each key a Multikey that others can import."""
    did = certificate.credential.issuer.did
    [answer] = ask_node("resolver", [did], website)
    assert answer["document"]["id"] == did
    found = {key["id"]: key["publicKeyMultibase"] for key in answer["keys"]}
    assert found == {f"{did}#{key.id}": proofs.multikey(bytes(key.public_key)) for key in SigningKey.objects.trusted()}
    assert {key["controller"] for key in answer["keys"]} == {did}


def test_openbadgeslib_resolves_each_key_of_the_did_document(website: Website, certificate: Certificate) -> None:
    did = certificate.credential.issuer.did
    for key in SigningKey.objects.all():
        found = load_pem_public_key(resolve_verification_method(f"{did}#{key.id}", download=website.fetch))
        assert isinstance(found, Ed25519PublicKey)
        assert found.public_bytes_raw() == bytes(key.public_key)
    keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="A laptop was lost.")
    with pytest.raises(OB3VerificationError, match="no verificationMethod with id"):
        resolve_verification_method(f"{did}#{certificate.credential.key_id}", download=website.fetch)


@pytest.mark.usefixtures("node")
def test_the_achievement(website: Website, certificate: Certificate) -> None:
    said = document_of(certificate.credential)["credentialSubject"]["achievement"]
    [answer] = ask_node("resolver", [said["id"]], website)
    assert answer["type"] == ["https://purl.imsglobal.org/spec/vc/ob/vocab.html#Achievement"]
    assert {name: value for name, value in answer["document"].items() if name != "@context"} == said


def test_openbadgeslib_verifies_what_the_w3c_has_published() -> None:
    """The vectors that ours are held against too, in tests/certificates; no package ships any."""
    signed, key, examples = (
        json.loads((VECTORS / name).read_text())
        for name in ("signed-credential.json", "key-pair.json", "credentials-examples-v2.json")
    )
    public_key = proofs.decode(key["publicKeyMultibase"])
    assert public_key
    verify_data_integrity_proof(signed, pem(public_key[2:]), extra_contexts={EXAMPLES: examples})


def test_we_verify_what_openbadgeslib_has_signed(website: Website, cast: Cast) -> None:
    document = document_of(make_credential(cast))
    method = document.pop("proof")["verificationMethod"]
    private_key = Ed25519PrivateKey.generate()
    secret = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signed = add_data_integrity_proof(document, secret, method)
    digest = proofs.digest(signed, signed["proof"])
    assert proofs.verifies(private_key.public_key().public_bytes_raw(), digest, signed["proof"]["proofValue"])
