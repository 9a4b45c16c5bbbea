"""Data Integrity proofs, held against what others have published and written."""

import json
from pathlib import Path

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyld.jsonld import JsonLdError

from certificates import jsonld, proofs

VECTORS = Path(__file__).parent / "vectors"


def test_the_published_example_verifies() -> None:
    """The W3C's own, from the specification of the cryptosuite (appendix B.1)."""
    signed = json.loads((VECTORS / "signed-credential.json").read_text())
    key = json.loads((VECTORS / "key-pair.json").read_text())["publicKeyMultibase"]
    public_key = proofs.decode(key)
    assert public_key is not None
    assert public_key[:2] == proofs.ED25519_PUBLIC_KEY
    assert proofs.multikey(public_key[2:]) == key
    jsonld.load.documents["https://www.w3.org/ns/credentials/examples/v2"] = VECTORS / "credentials-examples-v2.json"
    try:
        digest = proofs.digest(signed, signed["proof"])
    finally:
        del jsonld.load.documents["https://www.w3.org/ns/credentials/examples/v2"]
    assert proofs.verifies(public_key[2:], digest, signed["proof"]["proofValue"])
    assert not proofs.verifies(public_key[2:], digest[::-1], signed["proof"]["proofValue"])


@pytest.mark.parametrize("url", ["https://example.com/context", "file:///etc/passwd", "http://127.0.0.1/"])
def test_no_other_context_is_loaded(url: str) -> None:
    with pytest.raises(JsonLdError):
        jsonld.canonical_hash({"@context": [jsonld.CREDENTIALS_V2, url], "id": "urn:uuid:x"})


@given(st.binary(max_size=90))
def test_multibase_has_one_spelling(value: bytes) -> None:
    text = proofs.encode(value)
    assert proofs.decode(text) == value
    assert proofs.decode(f" {text}") is None
    assert proofs.decode(f"{text} ") is None


@given(st.text(max_size=140))
def test_no_text_is_an_error(text: str) -> None:
    value = proofs.decode(text)
    assert value is None or "z" + base58.b58encode(value).decode() == text
    assert not proofs.verifies(bytes(32), b"", text)
