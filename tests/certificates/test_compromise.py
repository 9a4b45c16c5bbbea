"""A key that somebody else has: nothing that it signed counts, and what is genuine is signed again."""

import json
import signal
from urllib.parse import urlsplit

import pytest
from django.db import transaction
from django.test import Client

from audit.models import AuditEvent
from certificates import keys, proofs, signing
from certificates.issuers import did_document, trusted_keys
from certificates.models import Certificate, Credential, SigningKey, StatusList
from certificates.rendering import pdf_of
from certificates.signing_again import NotSigned, sign_again
from certificates.verifying import verify_pdf
from tests.factories import ACTOR, Cast, complete, make_cast, make_user
from tests.processes import run_python
from tests.threads import at_once


def verified(certificate: Certificate, signature: str) -> bool:
    path = urlsplit(certificate.verification_url).path
    return bool(Client().get(path, {"signature": signature}).json()["valid"])


def test_all_that_it_signed_fails_until_it_is_signed_again(cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    stolen, before = certificate.credential.key, certificate.signature
    assert verified(certificate, before)
    keys.compromise(stolen.id, actor=ACTOR, reason="A laptop was lost.")
    assert not verified(certificate, before)
    document = did_document(certificate.credential.issuer, trusted_keys(certificate.credential.issuer))
    assert str(stolen.id) not in json.dumps(document)
    assert sign_again() == "Signed 1 credentials again."
    again = Certificate.objects.select_related("credential").get()
    assert not verified(again, before)
    assert verified(again, again.signature)
    assert (again.id, again.printed_url) == (certificate.id, certificate.printed_url)
    old, new = json.loads(certificate.credential.document), json.loads(again.credential.document)
    assert {**old, "proof": None} == {**new, "proof": None}
    [event] = AuditEvent.objects.filter(type="credential_signed_again")
    assert event.metadata["before"] == {"keyId": str(stolen.id), "proofValue": before}


def test_a_retired_key_can_be_compromised_too(cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    active = keys.rotate(cast.organization.id, actor=ACTOR)
    keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="Found in a backup.")
    assert SigningKey.objects.active().get() == active
    sign_again()
    assert Credential.objects.get().key == active


def test_doing_it_twice_changes_nothing(cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    first = keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="x")
    again = keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="y")
    assert again.compromised_at == first.compromised_at
    assert AuditEvent.objects.filter(type="signing_key_compromised").count() == 1
    assert SigningKey.objects.count() == 2


def test_the_status_list_is_signed_anew(cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    path = f"/status/{StatusList.objects.get().id}"
    Client().get(path)
    keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="x")
    document = json.loads(Client().get(path).content)
    active = SigningKey.objects.active().get()
    assert document["proof"]["verificationMethod"].endswith(str(active.id))
    digest = proofs.digest(document, document["proof"])
    assert proofs.verifies(bytes(active.public_key), digest, document["proof"]["proofValue"])


def test_what_was_altered_is_not_signed_again(cast: Cast) -> None:
    complete(cast.colleague, cast.track)
    [certificate] = complete(cast.learner, cast.track).certificates
    altered = certificate.credential.document.replace("Maya Lindqvist", "Somebody Else")
    Credential.objects.filter(id=certificate.credential_id).update(document=altered)
    keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="x")
    with pytest.raises(NotSigned, match=str(certificate.id)):
        sign_again()
    assert list(Credential.objects.with_compromised_key()) == [certificate.credential]


def test_a_digest_that_was_altered_too_is_not_signed_again(cast: Cast) -> None:
    """Who can write to the database can compute a digest; only the key makes a signature of it."""
    [certificate] = complete(cast.learner, cast.track).certificates
    altered = certificate.credential.document.replace("Maya Lindqvist", "Somebody Else")
    digest = proofs.digest_of_text(altered)
    Credential.objects.update(document=altered, digest=digest)
    keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="x")
    with pytest.raises(NotSigned, match=str(certificate.id)):
        sign_again()
    assert Credential.objects.get().proof_value == certificate.signature


def test_the_pdf_is_made_again(cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    before = pdf_of(certificate.id)[0]
    assert verify_pdf(before).is_genuine
    keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="x")
    sign_again()
    assert Certificate.objects.get().pdf == ""
    again = pdf_of(certificate.id)[0]
    assert verify_pdf(again).is_genuine
    # We made it; but what is attached to it, a thief can make too.
    assert [check.what for check in verify_pdf(before).checks if not check.passed] == ["key"]
    assert not verify_pdf(before).is_genuine


KILLED_AT_THE_THIRD = """
from certificates import signing_again
sign, count = signing_again.signing.sign, 0
def die(*arguments):
    global count
    count += 1
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return sign(*arguments)
signing_again.signing.sign = die
signing_again.sign_again()
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_it_goes_on() -> None:
    cast = make_cast()
    for _ in range(5):
        [certificate] = complete(make_user(cast.organization), cast.track).certificates
    keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="x")
    assert run_python(KILLED_AT_THE_THIRD).returncode == -signal.SIGKILL
    assert sign_again() == "Signed 3 credentials again."
    assert AuditEvent.objects.filter(type="credential_signed_again").count() == 5
    for credential in Credential.objects.select_related("key"):
        assert signing.is_genuine(credential, credential.proof_value)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_rotated_while_others_issue_no_retired_key_signs_later() -> None:
    """Who issues holds the active key until she commits, so a rotation has all before it or all after."""
    cast = make_cast()
    complete(cast.learner, cast.track)
    old = SigningKey.objects.get()
    learners = [make_user(cast.organization) for _ in range(8)]
    issuing = [lambda learner=learner: complete(learner, cast.track) for learner in learners]
    at_once([*issuing, lambda: keys.compromise(old.id, actor=ACTOR, reason="x")])
    sign_again()
    with transaction.atomic():
        assert {credential.key for credential in Credential.objects.all()} == {SigningKey.objects.active().get()}
    for credential in Credential.objects.select_related("key"):
        assert signing.is_genuine(credential, credential.proof_value)
