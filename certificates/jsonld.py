"""JSON-LD with the contexts that we keep, and with no others: nothing is ever fetched.

`certificates/contexts` has them as their authors published them: W3C (credentials v2, data integrity v2, multikey v1)
and 1EdTech (Open Badges 3.0.3).
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from pyld import FrozenDocumentLoader, jsonld

CREDENTIALS_V2 = "https://www.w3.org/ns/credentials/v2"
OPEN_BADGES = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"
FOLDER = Path(__file__).parent / "contexts"
CONTEXTS = {
    CREDENTIALS_V2: FOLDER / "credentials-v2.json",
    OPEN_BADGES: FOLDER / "open-badges-3.0.3.json",
    "https://w3id.org/security/data-integrity/v2": FOLDER / "data-integrity-v2.json",
    "https://w3id.org/security/multikey/v1": FOLDER / "multikey-v1.json",
}


class OwnContexts(FrozenDocumentLoader):  # type: ignore[misc]
    """The library keeps what is static as it has resolved it, and resolves everything else each time."""

    def __call__(self, url: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return {**super().__call__(url, options), "tag": "static"}


load = OwnContexts(CONTEXTS)
# The library's cache of resolved contexts, which is what makes it fast, is not made for threads.
_lock = Lock()


def canonical_hash(document: Mapping[str, Any]) -> bytes:
    """SHA-256 of the document's canonical N-Quads (RDF Dataset Canonicalization, RDFC-1.0). Takes milliseconds."""
    options = {
        "algorithm": "URDNA2015",  # what RDFC-1.0 was called before it was a standard
        "format": "application/n-quads",
        "documentLoader": load,
    }
    with _lock:
        quads: str = jsonld.normalize(document, options)
    return hashlib.sha256(quads.encode()).digest()
