"""The one shape that our credentials have. What does not have it is not ours, and not worth canonicalizing.

A document can be spelt in other ways that mean the same to JSON-LD, or hold what it would drop unsigned: absolute IRIs
for names, values in arrays, empty ones, null, names that no context defines. None of that passes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from certificates.jsonld import CREDENTIALS_V2, OPEN_BADGES
from certificates.proofs import CRYPTOSUITE

CONTEXTS = [CREDENTIALS_V2, OPEN_BADGES]


@dataclass(frozen=True)
class Exactly:
    value: Any


@dataclass(frozen=True)
class ListOf:
    """Any number of them, but none only where it may be empty."""

    shape: Any
    may_be_empty: bool = False


IMAGE = {"id": str, "type": Exactly("Image"), "caption?": str}
# A name that ends in "?" may be missing.
CREDENTIAL: Mapping[str, Any] = {
    "@context": Exactly(CONTEXTS),
    "id": str,
    "type": Exactly(["VerifiableCredential", "OpenBadgeCredential"]),
    "name": str,
    "issuer": {"id": str, "type": Exactly(["Profile"]), "name": str, "url?": str, "image?": IMAGE},
    "validFrom": str,
    "validUntil?": str,
    "credentialSubject": {
        "id": str,
        "type": Exactly(["AchievementSubject"]),
        "name": str,
        "identifier?": ListOf(
            {
                "type": Exactly("IdentityObject"),
                "hashed": Exactly(True),
                "identityHash": str,
                "identityType": str,
                "salt": str,
            }
        ),
        "achievement": {
            "id": str,
            "type": Exactly(["Achievement"]),
            "achievementType": str,
            "name": str,
            "description": str,
            "criteria": {"narrative": str},
            "image?": IMAGE,
            "inLanguage?": str,
            "version?": str,
            "resultDescription?": ListOf(
                {"id": str, "type": Exactly(["ResultDescription"]), "name": str, "resultType": str}
            ),
        },
        "result?": ListOf({"type": Exactly(["Result"]), "resultDescription": str, "status": str}, may_be_empty=True),
    },
    "evidence": ListOf({"type": Exactly(["Evidence"]), "narrative": str, "genre": str}),
    "credentialStatus": {
        "id": str,
        "type": Exactly("BitstringStatusListEntry"),
        "statusPurpose": str,
        "statusListIndex": str,
        "statusListCredential": str,
    },
    "proof": {
        "type": Exactly("DataIntegrityProof"),
        "cryptosuite": Exactly(CRYPTOSUITE),
        "created": str,
        "verificationMethod": str,
        "proofPurpose": Exactly("assertionMethod"),
        "proofValue": str,
    },
}


def misfits(value: Any, shape: Any = CREDENTIAL, at: str = "") -> Iterator[str]:
    """Where the value does not have the shape, as paths: ``credentialSubject.achievement.name``. None: it has it."""
    match shape:
        case Exactly():
            fits = _same(value, shape.value)
        case ListOf():
            fits = isinstance(value, list) and (bool(value) or shape.may_be_empty)
            if fits:
                for index, item in enumerate(value):
                    yield from misfits(item, shape.shape, f"{at}[{index}]")
        case Mapping():
            fits = isinstance(value, dict)
            if fits:
                yield from _misfits_of_object(value, shape, f"{at}." if at else "")
        case _:
            fits = isinstance(value, shape)
    if not fits:
        yield at or "{}"


def _misfits_of_object(value: dict[str, Any], shape: Mapping[str, Any], prefix: str) -> Iterator[str]:
    known = {name.removesuffix("?"): name for name in shape}
    for name in value.keys() - known.keys():
        yield f"{prefix}{name}"
    for name, spelt in known.items():
        if name in value:
            yield from misfits(value[name], shape[spelt], f"{prefix}{name}")
        elif spelt == name:
            yield f"{prefix}{name}"


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same type: to Python, 1 is True."""
    return type(one) is type(other) and bool(one == other)


def differences(one: Any, other: Any, at: str = "") -> Iterator[str]:
    """Where two documents differ, as paths."""
    if isinstance(one, dict) and isinstance(other, dict):
        prefix = f"{at}." if at else ""
        for name in sorted(one.keys() | other.keys()):
            if name in one and name in other:
                yield from differences(one[name], other[name], f"{prefix}{name}")
            else:
                yield f"{prefix}{name}"
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{at}[{index}]")
    elif not _same(one, other):
        yield at
