"""What a signed credential says, for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class SignedContent:
    """Read from a document that is known to be what was signed; nothing in it is from anywhere else."""

    urn: str
    learner_name: str | None
    """None once it is erased."""
    title: str
    description: str
    criteria: str
    language: str | None
    """Of what describes the achievement."""
    version: str | None
    organization_name: str
    issuer: str
    source: str
    issued_at: datetime
    valid_until: datetime | None
    verification_method: str

    @classmethod
    def of(cls, document: Mapping[str, Any], *, with_name: bool = True) -> Self:
        """Of a document that has our shape."""
        subject, until = document["credentialSubject"], document.get("validUntil")
        achievement = subject["achievement"]
        return cls(
            urn=document["id"],
            learner_name=subject["name"] if with_name else None,
            title=achievement["name"],
            description=achievement["description"],
            criteria=achievement["criteria"]["narrative"],
            language=achievement.get("inLanguage"),
            version=achievement.get("version"),
            organization_name=document["issuer"]["name"],
            issuer=document["issuer"]["id"],
            source=document["evidence"][0]["genre"],
            issued_at=datetime.fromisoformat(document["validFrom"]),
            valid_until=datetime.fromisoformat(until) if until else None,
            verification_method=document["proof"]["verificationMethod"],
        )
