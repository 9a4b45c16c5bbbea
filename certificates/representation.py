"""Certificates as the API writes them."""

from datetime import datetime
from typing import Any

from cerply.clock import rfc3339
from certificates import sharing, verifying
from certificates.models import Certificate, Keepsake, RevocationCode, ShareLink, Status, Suspension
from certificates.sentences import say
from certificates.signed import SignedContent
from certificates.verifying import Verdict

# What a stranger may know; the words of whoever revoked it are for the record alone.
SENTENCES = {
    RevocationCode.ISSUED_IN_ERROR: "The certificate was revoked: it had been issued in error.",
    RevocationCode.REQUIREMENTS_NOT_MET: "The certificate was revoked: its requirements had not been met.",
    RevocationCode.MISCONDUCT: "The certificate was revoked: it had not been obtained by the rules.",
    RevocationCode.SUPERSEDED: "The certificate was revoked: another one has taken its place.",
    RevocationCode.HOLDER_REQUEST: "The certificate was revoked because its holder asked for it.",
    RevocationCode.OTHER: "The certificate was revoked by the organization that issued it.",
}
REASONS = {
    Status.REVOKED: SENTENCES[RevocationCode.OTHER],
    Status.EXPIRED: "The certificate has expired.",
    Status.REPLACED: "The certificate was replaced by another one, and no longer holds.",
    Status.SUSPENDED: "The certificate is suspended for the time being.",
}
NOT_GENUINE = {"valid": False, "revoked": False}


def reason_of(row: Certificate, status: Status) -> str | None:
    """Why it does not hold, in a fixed sentence."""
    return SENTENCES[row.code] if status is Status.REVOKED else REASONS.get(status)


def certificate(row: Certificate, moment: datetime) -> dict[str, Any]:
    """As it was at the moment: what has become of it since is not told."""
    revoked_at, replaced_at = (at if at and at <= moment else None for at in (row.revoked_at, row.replaced_at))
    successor_since = row.replaced_at or row.renewed_at
    has_successor = successor_since is not None and successor_since <= moment
    return {
        "id": str(row.id),
        "trackId": str(row.track_id),
        "trackTitle": row.track_title,
        "issuedAt": rfc3339(row.issued_at),
        "expiresAt": _or_null(row.expires_at),
        "revokedAt": _or_null(revoked_at),
        "suspendedAt": _or_null(row.suspended_since(moment)),
        "replacedAt": _or_null(replaced_at),
        # Also of the past: the name is not there any more.
        "erasedAt": _or_null(row.erased_at),
        "replaces": str(row.replaces_id) if row.replaces_id else None,
        "replacedBy": str(row.replaced_by_id) if row.replaced_by_id and has_successor else None,
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
        "revokedAt": _or_null(row.revoked_at),
        "reason": row.revocation_reason,
        "code": row.code,
    }


def suspension(row: Suspension) -> dict[str, Any]:
    return {
        "id": str(row.certificate_id),
        "suspendedAt": rfc3339(row.suspended_at),
        "reason": row.reason,
        "reinstatedAt": _or_null(row.reinstated_at),
        "reinstatementReason": row.reinstatement_reason or None,
    }


def replaced(row: Certificate, moment: datetime) -> dict[str, Any]:
    """With the one that has taken its place."""
    return {
        "id": str(row.id),
        "replacedAt": _or_null(row.replaced_at),
        "reason": row.replacement_reason,
        "certificate": held_certificate(row.replaced_by, moment) if row.replaced_by else None,
    }


def _or_null(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None


def verified(row: Certificate, moment: datetime) -> dict[str, Any]:
    """How it stands, and what was signed: nothing that only the database says, unless the original is erased."""
    status = row.status_at(moment)
    reason = reason_of(row, status)
    signed = verifying.signed_content(row.credential) or verifying.content_of_rows(row)
    return {
        "valid": status is Status.VALID,
        "revoked": status is Status.REVOKED,
        **({"reason": reason} if reason else {}),
        "status": status,
        "issuedAt": rfc3339(signed.issued_at),
        "expiresAt": _or_null(signed.valid_until),
        "learnerName": signed.learner_name,
        "trackTitle": signed.title,
        "organizationName": signed.organization_name,
        "source": signed.source,
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


def keepsake(row: Keepsake) -> dict[str, Any]:
    return {
        "learnerId": str(row.learner_id),
        "leftAt": rfc3339(row.left_at),
        "requestedAt": rfc3339(row.requested_at),
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
