"""Certificates as the API writes them."""

import json
from datetime import datetime
from typing import Any

from cerply.clock import rfc3339
from certificates.models import Certificate, Status

# What a stranger may know; the words of the revocation are for the record alone.
REASONS = {
    Status.REVOKED: "The certificate was revoked by the organization that issued it.",
    Status.EXPIRED: "The certificate has expired.",
    Status.REPLACED: "The certificate was replaced by a newer one.",
    Status.SUSPENDED: "The certificate is suspended for the time being.",
}
NOT_GENUINE = {"valid": False, "revoked": False}


def certificate(row: Certificate, moment: datetime) -> dict[str, Any]:
    """As it was at the moment: what has become of it since is not told."""
    revoked_at = row.revoked_at if row.revoked_at and row.revoked_at <= moment else None
    return {
        "id": str(row.id),
        "trackId": str(row.track_id),
        "trackTitle": row.track_title,
        "issuedAt": rfc3339(row.issued_at),
        "expiresAt": rfc3339(row.expires_at) if row.expires_at else None,
        "revokedAt": rfc3339(revoked_at) if revoked_at else None,
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
