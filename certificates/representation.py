"""Certificates as the API writes them."""

import json
from datetime import datetime
from typing import Any

from cerply.clock import rfc3339
from certificates import sharing
from certificates.models import Certificate, ShareLink, Status
from certificates.sentences import say
from certificates.signed import SignedContent
from certificates.verifying import Verdict

# What a stranger may know; the words of the revocation are for the record alone.
REASONS = {
    Status.REVOKED: "The certificate was revoked by the organization that issued it.",
    Status.EXPIRED: "The certificate has expired.",
    Status.REPLACED: "The certificate was replaced by a newer one.",
    Status.SUSPENDED: "The certificate is suspended for the time being.",
}
NOT_GENUINE = {"valid": False, "revoked": False}


def certificate(row: Certificate, moment: datetime) -> dict[str, Any]:
    """With the status that it had at the moment."""
    return {
        "id": str(row.id),
        "trackId": str(row.track_id),
        "trackTitle": row.track_title,
        "issuedAt": rfc3339(row.issued_at),
        "expiresAt": rfc3339(row.expires_at) if row.expires_at else None,
        "revokedAt": rfc3339(row.revoked_at) if row.revoked_at else None,
        "status": row.status_at(moment),
        "signature": row.signature,
        "verificationUrl": row.verification_url,
        "downloadUrl": row.download_url,
    }


def held_certificate(row: Certificate, moment: datetime) -> dict[str, Any]:
    return certificate(row, moment) | {"learner": {"id": str(row.learner_id), "name": row.learner_name}}


def revoked(row: Certificate) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "revokedAt": rfc3339(row.revoked_at) if row.revoked_at else None,
        "reason": row.revocation_reason,
    }


def verified(row: Certificate, moment: datetime) -> dict[str, Any]:
    """How it stands, and what was signed: nothing that only the database says."""
    status = row.status_at(moment)
    reason = {"reason": REASONS[status]} if status in REASONS else {}
    signed = json.loads(row.credential.document)
    subject = signed["credentialSubject"]
    return {
        "valid": status is Status.VALID,
        "revoked": status is Status.REVOKED,
        **reason,
        "status": status,
        "issuedAt": signed["validFrom"],
        "expiresAt": signed.get("validUntil"),
        "learnerName": subject["name"],
        "trackTitle": subject["achievement"]["name"],
        "organizationName": signed["issuer"]["name"],
        "source": signed["evidence"][0]["genre"],
    }


def one_certificate(row: Certificate, moment: datetime) -> dict[str, Any]:
    return held_certificate(row, moment) | {
        "nameVisible": row.name_visible,
        "pageUrl": row.printed_url,
        "addToLinkedInUrl": sharing.linkedin_url(row),
    }


def share_link(row: ShareLink) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "createdAt": rfc3339(row.created_at),
        "withdrawnAt": rfc3339(row.withdrawn_at) if row.withdrawn_at else None,
    }


def verdict(found: Verdict) -> dict[str, Any]:
    signed = found.signed
    return {
        "genuine": found.is_genuine,
        "credentialGenuine": found.has_genuine_credential,
        "status": found.status,
        "message": say(found.sentences[1]),
        "checks": [
            {"check": check.what, "passed": check.passed, "message": say(check.sentence, **check.arguments)}
            for check in found.checks
        ],
        "signed": _signed(signed) if signed else None,
        "identityChecked": found.is_identity_checked,
        "pageUrl": found.page_url,
    }


def _signed(content: SignedContent) -> dict[str, Any]:
    return {
        "id": content.urn,
        "learnerName": content.learner_name,
        "trackTitle": content.title,
        "description": content.description,
        "criteria": content.criteria,
        "trackVersion": content.version,
        "organizationName": content.organization_name,
        "issuer": content.issuer,
        "source": content.source,
        "issuedAt": rfc3339(content.issued_at),
        "expiresAt": rfc3339(content.valid_until) if content.valid_until else None,
        "verificationMethod": content.verification_method,
    }
