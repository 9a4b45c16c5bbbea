"""What a credential says: an ``OpenBadgeCredential`` (1EdTech, Open Badges 3.0) before it is signed.

Only terms that its two contexts define are used: any other would be dropped when signing, and refused by verifiers.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings

from cerply.accounts.pictures import logo_digest
from cerply.clock import rfc3339_seconds
from cerply.tracks.models import TrackVersion
from certificates.jsonld import CREDENTIALS_V2, OPEN_BADGES
from certificates.models import Issuer, Source, StatusSlot

# Where the answers came from; a stranger reads the sentence, a program the genre.
EVIDENCE = {
    Source.SELF: "Answers that the learner recorded herself.",
    Source.SYSTEM: "Answers that the organization's systems recorded.",
    Source.OUTSIDE: "Completed outside Cerply, as the organization confirms.",
}
# So that a credential stays small, however long its track.
MOST_ITEMS_NAMED = 20
# All but tab and line ends. RDFC-1.0 escapes them before it hashes a text, and pyld does not: with one in a name,
# others would find the signature wrong.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What is to be certified. ``achievement`` is an Open Badges Achievement, see `achievement_of_track`."""

    id: UUID = field(default_factory=uuid4)
    learner_name: str
    learner_email: str
    achievement: Mapping[str, Any]
    narrative: str
    genre: str
    issued_at: datetime
    valid_until: datetime | None = None


def unsigned(claim: Claim, issuer: Issuer, slot: StatusSlot) -> dict[str, Any]:
    """The credential without its proof."""
    status_list = slot.status_list.url
    document = {
        "@context": [CREDENTIALS_V2, OPEN_BADGES],
        "id": f"urn:uuid:{claim.id}",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": claim.achievement["name"],
        "issuer": profile(issuer),
        "validFrom": rfc3339_seconds(claim.issued_at),
        **({"validUntil": rfc3339_seconds(claim.valid_until)} if claim.valid_until else {}),
        "credentialSubject": {
            # Random, and of this credential alone: it tells nobody who else holds what.
            "id": f"urn:uuid:{uuid4()}",
            "type": ["AchievementSubject"],
            "name": claim.learner_name,
            **({"identifier": [hashed_email(claim.learner_email)]} if issuer.organization.certifies_email else {}),
            "achievement": dict(claim.achievement),
            **_results(claim.achievement),
        },
        "evidence": [{"type": ["Evidence"], "narrative": claim.narrative, "genre": claim.genre}],
        "credentialStatus": {
            "id": f"{status_list}#{slot.index}",
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": str(slot.index),
            "statusListCredential": status_list,
        },
    }
    return dict(without_control_characters(document))


def without_control_characters(value: Any) -> Any:
    """The same with a space for each of them, in the texts of objects and arrays too."""
    match value:
        case str():
            return CONTROL_CHARACTERS.sub(" ", value)
        case dict():
            return {name: without_control_characters(inner) for name, inner in value.items()}
        case list():
            return [without_control_characters(inner) for inner in value]
    return value


def hashed_email(address: str) -> dict[str, Any]:
    """An IdentityObject (Open Badges 3.0, B.1.10): who knows the address can tell that it is hers, and nobody else.

    SHA-256 over the lower-case address and a fresh salt of 128 bits, as ``sha256$`` and hex.
    """
    salt = secrets.token_hex(16)
    digest = hashlib.sha256(f"{address.strip().lower()}{salt}".encode()).hexdigest()
    return {
        "type": "IdentityObject",
        "hashed": True,
        "identityHash": f"sha256${digest}",
        "identityType": "emailAddress",
        "salt": salt,
    }


def _results(achievement: Mapping[str, Any]) -> dict[str, Any]:
    """What was achieved, where the achievement describes results."""
    descriptions = achievement.get("resultDescription", [])
    results = [
        {"type": ["Result"], "resultDescription": description["id"], "status": "Completed"}
        for description in descriptions
    ]
    return {"result": results} if results else {}


def profile(issuer: Issuer) -> dict[str, Any]:
    """The issuer's Profile, as it is frozen into a credential."""
    logo = logo_digest(issuer.organization.logo.name or "")
    image = {"image": {"id": f"{settings.ISSUER_URL}/pictures/{logo}.png", "type": "Image"}} if logo else {}
    url = {"url": issuer.organization.website} if issuer.organization.website else {}
    return {"id": issuer.did, "type": ["Profile"], "name": issuer.organization.name, **url, **image}


def achievement_of_track(version: TrackVersion) -> dict[str, Any]:
    """The Achievement that completing this version of a track is."""
    url = f"{settings.ISSUER_URL}/achievements/{version.id}"
    achievement = {
        "id": url,
        "type": ["Achievement"],
        "achievementType": "CertificateOfCompletion",
        "name": version.title,
        "description": version.description or f"The track “{version.title}”.",
        "criteria": {"narrative": version.criteria or _default_criteria(version)},
        "inLanguage": version.language,
        "version": str(version.number),
        "resultDescription": [
            {
                "id": f"{url}#completion",
                "type": ["ResultDescription"],
                "name": "Completion of the track",
                "resultType": "Status",
            }
        ],
    }
    return dict(without_control_characters(achievement))


def _default_criteria(version: TrackVersion) -> str:
    number = len(version.items)
    named = "; ".join(version.items[:MOST_ITEMS_NAMED])
    more = f"; and {number - MOST_ITEMS_NAMED} more" if number > MOST_ITEMS_NAMED else ""
    return f"Each of the {number} items answered correctly at least once: {named}{more}."
