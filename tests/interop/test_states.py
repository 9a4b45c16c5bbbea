"""What verifiers of others say of a certificate's credential, from its issue to its end."""

from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from cerply import clock
from certificates import status_lists
from certificates.models import Certificate
from certificates.revoking import revoke
from gamification.completing import complete_outside
from tests.certificates.test_credentials import NAMES
from tests.factories import ACTOR, complete, make_cast
from tests.interop.making import document_of, make_credential, make_credentials
from tests.interop.serving import Website
from tests.interop.verifiers import DigitalBazaar, Document, OpenBadgesLib, Verdict, Verifier, VerifierCore, Word

pytestmark = pytest.mark.slow


def of(certificate: Certificate) -> Document:
    return document_of(certificate.credential)


def word(verifier: Verifier, document: Document) -> Word:
    [verdict] = verifier.judge([document])
    return verdict.word


def test_a_valid_one(website: Website, verifier: Verifier) -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    outside = complete_outside(cast.colleague, cast.track, actor=ACTOR).certificate
    assert outside
    [other] = complete(cast.outsider, cast.outside_track).certificates
    until_tomorrow = make_credential(cast, valid_until=clock.now() + timedelta(days=1))
    documents = [*map(of, (certificate, outside, other)), document_of(until_tomorrow)]
    assert all(document["issuer"]["id"].startswith("did:web:localhost%3A") for document in documents)
    verdicts = verifier.judge(documents)
    assert [verdict.word for verdict in verdicts] == [Word.VALID] * 4, verdicts


def test_an_expired_one(website: Website, verifier: Verifier) -> None:
    expired = make_credential(make_cast(), valid_until=clock.now() - timedelta(days=1))
    assert word(verifier, document_of(expired)) == Word.EXPIRED


def test_one_that_is_not_valid_yet(website: Website, verifier: Verifier) -> None:
    """verifier-core then tells nothing of signature and dates, neither good nor bad."""
    early = make_credential(make_cast(), issued_at=clock.now() + timedelta(days=1))
    assert word(verifier, document_of(early)) == Word.REFUSED


def test_a_revoked_one(website: Website, verifier: Verifier) -> None:
    cast = make_cast()
    [revoked] = complete(cast.learner, cast.track).certificates
    [other] = complete(cast.colleague, cast.track).certificates
    revoke(revoked.id, "A mistake.", actor=ACTOR)
    verdicts = verifier.judge([of(revoked), of(other)])
    assert [verdict.word for verdict in verdicts] == [Word.REVOKED, Word.VALID], verdicts


def test_a_suspended_one(website: Website, verifier: Verifier) -> None:
    """The same bit as a revoked one, so the same word: until it holds again."""
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    with transaction.atomic():
        status_lists.mark(certificate.credential, holds=False)
    assert word(verifier, of(certificate)) == Word.REVOKED
    with transaction.atomic():
        status_lists.mark(certificate.credential, holds=True)
    assert word(verifier, of(certificate)) == Word.VALID


@pytest.mark.usefixtures("node")
def test_what_digitalbazaar_says_of_a_revoked_one(website: Website) -> None:
    """``verified`` tells of the signatures, also that of the list, and no more; the status beside it tells the rest."""
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    revoke(certificate.id, "A mistake.", actor=ACTOR)
    assert DigitalBazaar(website).judge([of(certificate)]) == [
        Verdict(Word.REVOKED, {"verified": True, "statuses": [True], "errors": []})
    ]


@pytest.mark.usefixtures("node")
def test_what_verifier_core_says(website: Website) -> None:
    """It also checks against the official schema; and its registry of issuers, in which ours are not."""
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    [verdict] = VerifierCore(website).judge([of(certificate)])
    assert verdict.said["log"] == {
        "valid_signature": True,
        "revocation_status": True,
        "expiration": True,
        "registered_issuer": False,
    }
    [schema] = verdict.said["schemas"]
    assert schema["result"] == {"valid": True}


def test_openbadgeslib_verifies_the_list_when_it_gets_a_jwt(website: Website) -> None:
    cast = make_cast()
    [good] = complete(cast.learner, cast.track).certificates
    [bad] = complete(cast.colleague, cast.track).certificates
    revoke(bad.id, "A mistake.", actor=ACTOR)
    verdicts = OpenBadgesLib(website, jwt=True).judge([of(good), of(bad)])
    assert [verdict.word for verdict in verdicts] == [Word.VALID, Word.REVOKED], verdicts


CHOSEN = ["Jürgen Weiß", "مها الخطيب", "山田太郎", "Ñandú “Ü” O'Neil", "e\u0301", "👩\u200d🚀", "\u202eabc", "&amp;<b>"]
# What is escaped when a text is hashed, and what no library should have to escape.
AWKWARD = ["a\\u0041b", 'a"b\\', "a\tb\r\nc", "a\u2028b\ufeffc", "\U0010fffd", "a\x0bb\x0cc\x08", "\x01\x1f\x7f\x85"]


@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(names=st.lists(NAMES, min_size=20, max_size=20))
@example(names=[*CHOSEN, *AWKWARD])
def test_names_of_all_scripts(website: Website, verifier: Verifier, names: list[str]) -> None:
    """Each library spells a text in its own way before it hashes it, and all must come to the same."""
    cast = make_cast()
    achievement = document_of(make_credential(cast))["credentialSubject"]["achievement"]
    claims = [
        {"learner_name": name, "achievement": achievement | {"name": name, "criteria": {"narrative": name}}}
        for name in names
    ]
    verdicts = verifier.judge([document_of(credential) for credential in make_credentials(cast, *claims)])
    assert {name: verdict for name, verdict in zip(names, verdicts, strict=True) if verdict.word != Word.VALID} == {}
