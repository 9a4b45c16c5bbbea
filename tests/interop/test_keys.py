"""What becomes of a credential, for verifiers of others, when its issuer's key is replaced."""

from datetime import timedelta

import pytest

from cerply import clock
from certificates import keys
from certificates.revoking import revoke
from certificates.signing_again import sign_again
from tests.factories import ACTOR, complete, make_cast
from tests.interop.making import document_of, signed_as, signer
from tests.interop.serving import Website
from tests.interop.verifiers import Verifier, Word

pytestmark = pytest.mark.slow


def test_what_a_retired_key_has_signed_is_valid(website: Website, verifier: Verifier) -> None:
    """And what is revoked stays so, in a list that the new key has signed. However long the DID document gets."""
    cast = make_cast()
    [old] = complete(cast.learner, cast.track).certificates
    [revoked] = complete(cast.auditor, cast.track).certificates
    for _ in range(25):
        keys.rotate(cast.organization.id, actor=ACTOR)
    revoke(revoked.id, "A mistake.", actor=ACTOR)
    [new] = complete(cast.colleague, cast.track).certificates
    verdicts = verifier.judge([document_of(each.credential) for each in (old, new, revoked)])
    assert [verdict.word for verdict in verdicts] == [Word.VALID, Word.VALID, Word.REVOKED], verdicts


def test_what_a_compromised_key_has_signed_is_not(website: Website, verifier: Verifier) -> None:
    """Whenever the thief says that it was. What is genuine is valid when it has been signed again."""
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    copy, stolen = document_of(certificate.credential), signer(cast)
    rotated = keys.rotate(cast.organization.id, actor=ACTOR)
    [untouched] = complete(cast.colleague, cast.track).certificates
    keys.compromise(stolen.key.id, actor=ACTOR, reason="A laptop was lost.")
    with clock.moved_to(clock.now() - timedelta(days=400)):
        forged = signed_as(cast, stolen.key, stolen, copy | {"validFrom": "2020-01-01T00:00:00Z"})
    verdicts = verifier.judge([copy, forged, document_of(untouched.credential)])
    assert [verdict.word for verdict in verdicts] == [Word.REFUSED, Word.REFUSED, Word.VALID], verdicts
    sign_again()
    again = document_of(certificate.credential)
    assert again["proof"]["verificationMethod"].endswith(str(rotated.id))
    verdicts = verifier.judge([again, copy])
    assert [verdict.word for verdict in verdicts] == [Word.VALID, Word.REFUSED], verdicts
