"""Credentials that somebody has had a hand in: verifiers of others do not accept them."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from cerply import clock
from certificates.issuers import issuer_of
from certificates.models import SLOTS
from certificates.revoking import revoke
from certificates.signing import sign
from tests.certificates.test_credentials import paths
from tests.factories import ACTOR, complete, make_cast
from tests.interop.making import document_of, make_credential, signed_as, signer
from tests.interop.serving import Website
from tests.interop.verifiers import Document, OpenBadgesLib, Verifier, Word

pytestmark = pytest.mark.slow

STATUS_IRI = "https://www.w3.org/2018/credentials#credentialStatus"


def at(document: Document, path: tuple[Any, ...]) -> Any:
    """The object or array that holds what the path leads to."""
    inner: Any = document
    for step in path[:-1]:
        inner = inner[step]
    return inner


def likely(path: tuple[Any, ...], text: str) -> str:
    """Another value of the same form, so that nothing but the signature is wrong."""
    if path[-1] in {"validFrom", "validUntil", "created"}:
        # The past stays in the past.
        year = int(text[:4])
        return f"{year + 1 if path[-1] == 'validUntil' else year - 1}{text[4:]}"
    if text.isdigit():
        return str((int(text) + 1) % SLOTS)
    return text[:-1] + ("b" if text.endswith("a") else "a")


def changed(document: Document) -> Iterator[tuple[str, Document]]:
    """With each text changed, in two ways."""
    for path in paths(document):
        text = at(document, path)[path[-1]]
        for value in (f"{text}x", likely(path, text)):
            forged = deepcopy(document)
            at(forged, path)[path[-1]] = value
            yield f"{path} is {value}", forged


def left_out(document: Document, path: tuple[Any, ...] = ()) -> Iterator[tuple[str, Document]]:
    """Without each of its members, at every depth."""
    value = document if not path else at(document, path)[path[-1]]
    for name in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        here = (*path, name)
        forged = deepcopy(document)
        del at(forged, here)[name]
        yield f"without {here}", forged
        yield from left_out(document, here)


def added(document: Document, other: Document) -> Iterator[tuple[str, Document]]:
    """With more than was signed, or with parts of another one of the same issuer."""
    yield "a description", document | {"description": "With distinction."}
    yield "a term that no context has", document | {"grade": "1.0"}
    yield "two subjects", document | {"credentialSubject": [document["credentialSubject"], other["credentialSubject"]]}
    yield "a context of its own", document | {"@context": [*document["@context"], {"name": "https://example.com/name"}]}
    for name in ("id", "credentialSubject", "credentialStatus", "proof"):
        yield f"{name} of another", document | {name: other[name]}


def accepted(verifier: Verifier, forgeries: Iterator[tuple[str, Document]]) -> dict[str, Any]:
    """Those of which the verifier speaks well, or as of a genuine one that was revoked: there should be none.

    Digital Bazaar's looks at the dates before the signature; one that is no date any more is an expired one to it.
    """
    names, documents = zip(*forgeries, strict=True)
    verdicts = zip(names, verifier.judge(documents), strict=True)
    return {name: verdict for name, verdict in verdicts if verdict.word not in {Word.REFUSED, Word.EXPIRED}}


@pytest.fixture
def document(website: Website) -> Document:
    """One with all that a credential can have."""
    return document_of(make_credential(make_cast(), valid_until=clock.now() + timedelta(days=300)))


def test_no_text_can_be_changed(document: Document, verifier: Verifier) -> None:
    assert accepted(verifier, changed(document)) == {}


def test_nothing_can_be_left_out(document: Document, verifier: Verifier) -> None:
    assert accepted(verifier, left_out(document)) == {}


def test_nothing_can_be_added(website: Website, verifier: Verifier) -> None:
    cast = make_cast()
    document, other = (document_of(make_credential(cast)) for _ in range(2))
    assert accepted(verifier, added(document, other)) == {}


def test_nobody_else_can_sign(website: Website, verifier: Verifier) -> None:
    """Another organization, which has a key and a DID document here too, cannot sign in this one's name."""
    cast, thief = make_cast(), make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    document = document_of(certificate.credential)
    ours, theirs = signer(cast), signer(thief)
    forgeries = {
        "their key, by their DID": sign(document, issuer_of(thief.organization), theirs, clock.now()).document,
        "their key, as one of ours": signed_as(cast, theirs.key, theirs, document),
        "their key, as ours": signed_as(cast, ours.key, theirs, document),
    }
    assert accepted(verifier, iter(forgeries.items())) == {}
    # Signed by the right one in the same way, it is accepted.
    [verdict] = verifier.judge([signed_as(cast, ours.key, ours, document)])
    assert verdict.word == Word.VALID


def test_a_status_spelt_as_an_iri(website: Website, verifier: Verifier) -> None:
    """The signature is over a graph, in which the full name of a term is the same as the term.

    So the signature of a revoked one still holds, and the verifiers on Node do not see that it has a status: they say
    nothing of it. As each of ours has one, that silence is a no. openbadgeslib refuses it.
    """
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    revoke(certificate.id, "A mistake.", actor=ACTOR)
    document = document_of(certificate.credential)
    document[STATUS_IRI] = document.pop("credentialStatus")
    [verdict] = verifier.judge([document])
    match verifier.name:
        case OpenBadgesLib.name:
            assert verdict.word == Word.REFUSED
        case "digitalbazaar":
            assert verdict.said == {"verified": True, "statuses": [], "errors": []}
        case _:
            assert "revocation_status" not in verdict.said["log"]
