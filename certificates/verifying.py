"""What is true of a credential or a PDF that somebody was shown, check by check.

A genuine credential is one that equals the original, to the last field. The original's content is told to nobody who
has not its signature, which only who has the credential knows: its id stands on every page and in every code.
"""

import base64
import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.conf import settings

from cerply import clock
from cerply.identifiers import parse_uuid
from cerply.parsers import Malformed, parse_json
from certificates import confinement, issuers, openbadges, shape, signing, status_lists
from certificates.models import Certificate, Credential, SigningKey, Status
from certificates.rendering import issued_as
from certificates.signed import SignedContent

LARGEST_CREDENTIAL = 64 * 1024
LARGEST_FILE = 1024 * 1024
# Of the fields in which a credential differs, and of a name that a stranger made up.
MOST_NAMED = 5
LONGEST_NAME = 80


class What(StrEnum):
    """What is checked, in this order."""

    FILE = "file"
    ATTACHMENT = "attachment"
    FORMAT = "format"
    ISSUED = "issued"
    SIGNATURE = "signature"
    CONTENT = "content"
    KEY = "key"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Check:
    """``sentence`` and ``arguments`` are for `certificates.sentences.say`."""

    what: What
    passed: bool
    sentence: str
    arguments: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """``is_genuine``: the file is what was issued, as it was issued. It may be so and not be valid any more.

    ``has_genuine_credential``: of a PDF that is not, the credential that is attached is.
    """

    checks: list[Check]
    is_genuine: bool = False
    has_genuine_credential: bool = False
    credential: Credential | None = None
    status: Status | None = None
    signed: SignedContent | None = None

    @property
    def is_identity_checked(self) -> bool | None:
        """Whether the issuer is known to be who the signed content says; None where there is none."""
        if self.credential is None or self.signed is None:
            return None
        return self.credential.issuer.is_checked_as(self.signed.organization_name)

    @property
    def page_url(self) -> str | None:
        """Of the certificate, for who has its signature."""
        if self.credential is None or self.signed is None:
            return None
        return f"{settings.PUBLIC_URL}/verify/{self.credential.id}"

    @property
    def sentences(self) -> tuple[str, str]:
        """The headline, and what it means."""
        holds = self.status is Status.VALID
        if self.is_genuine:
            headline = "verdict.genuine" if holds else "verdict.invalid"
            return headline, f"{headline}.more"
        if self.has_genuine_credential:
            return "verdict.attached", "verdict.attached.more" if holds else "verdict.attached.invalid.more"
        distrusted = any(check.what is What.KEY and not check.passed for check in self.checks)
        return "verdict.false", "key.failed" if distrusted else "verdict.false.more"


def verify_file(content: bytes) -> Verdict:
    """A PDF or a credential, whichever it is."""
    is_pdf = b"%PDF-" in content[:1024] and not content.removeprefix(BOM_UTF8).lstrip().startswith(b"{")
    return verify_pdf(content) if is_pdf else verify_credential(content)


def verify_credential(content: bytes) -> Verdict:
    checks: list[Check] = []
    document = _readable(content, checks)
    if document is None:
        return Verdict(checks=checks)
    credential = _issued(document, checks)
    if credential is None or not _has_its_signature(document, credential, checks):
        return Verdict(checks=checks)
    same, key, status = _content_check(document, credential), key_check(credential.key), status_check(credential)
    is_genuine = same.passed and key.passed
    if credential.document:
        signed = signed_content(credential)
    else:  # of an erased one, what was proved to be the same
        signed = SignedContent.of(document, with_name=False) if same.passed else None
    return Verdict(
        checks=[*checks, same, key, status],
        is_genuine=is_genuine,
        has_genuine_credential=is_genuine,
        credential=credential,
        status=standing(credential),
        signed=signed if key.passed else None,
    )


def verify_pdf(content: bytes) -> Verdict:
    rendering = issued_as(content)
    if rendering is None:
        return _verify_attachment(content)
    credential = rendering.certificate.credential
    file = Check(What.FILE, True, "file.passed")
    checks = [file, *credential_checks(credential)]
    if not rendering.bears_current_proof:
        # Its credential was signed again since: a compromised key signed what this one bears.
        checks = [file, Check(What.KEY, False, "key.failed"), status_check(credential)]
    genuine = all(check.passed for check in checks if check.what is not What.STATUS)
    return Verdict(
        checks=checks,
        is_genuine=genuine,
        has_genuine_credential=genuine,
        credential=credential,
        status=standing(credential),
        signed=signed_content(credential) if genuine else None,
    )


def _verify_attachment(content: bytes) -> Verdict:
    """Of a PDF that is not as we made it: what is attached may still be genuine, what it shows need not be."""
    file = Check(What.FILE, False, "file.failed")
    try:
        found = confinement.run("attachment", content)
    except confinement.TooMuchEffort:
        found = {"problem": "effort"}
    if "problem" in found:
        return Verdict(checks=[file, Check(What.ATTACHMENT, False, f"attachment.failed.{found['problem']}")])
    attached = verify_credential(base64.b64decode(found["attachment"]))
    return Verdict(
        checks=[file, Check(What.ATTACHMENT, True, "attachment.passed"), *attached.checks],
        has_genuine_credential=attached.is_genuine,
        credential=attached.credential,
        status=attached.status,
        signed=attached.signed,
    )


def credential_checks(credential: Credential) -> list[Check]:
    """What can be checked of one that we have ourselves."""
    return [signature_check(credential), key_check(credential.key), status_check(credential)]


def signature_check(credential: Credential) -> Check:
    passed = signing.is_intact(credential)
    return Check(What.SIGNATURE, passed, "signature.passed" if passed else "signature.broken")


def key_check(key: SigningKey) -> Check:
    return Check(What.KEY, key.compromised_at is None, "key.failed" if key.compromised_at else "key.passed")


def status_check(credential: Credential) -> Check:
    status = standing(credential)
    passed = status is Status.VALID
    return Check(What.STATUS, passed, "status.passed" if passed else f"headline.{status}")


def standing(credential: Credential) -> Status:
    """How it stands now."""
    certificate = Certificate.objects.filter(credential=credential).first()
    if certificate is not None:
        return certificate.status_at(clock.now())
    return Status.VALID if status_lists.holds(credential) else Status.REVOKED


def signed_content(credential: Credential) -> SignedContent | None:
    """What the original says; None once it is erased."""
    return SignedContent.of(parse_json(credential.document.encode())) if credential.document else None


def content_of_rows(certificate: Certificate) -> SignedContent:
    """What the erased original said, as far as rows still know it: without the name."""
    achievement = openbadges.achievement_of_track(certificate.track_version)
    issuer = certificate.credential.issuer
    return SignedContent(
        urn=certificate.credential.urn,
        learner_name=None,
        title=achievement["name"],
        description=achievement["description"],
        criteria=achievement["criteria"]["narrative"],
        language=achievement["inLanguage"],
        version=achievement["version"],
        organization_name=certificate.organization_name,
        issuer=issuer.did,
        source=certificate.source,
        issued_at=certificate.issued_at,
        valid_until=certificate.expires_at,
        verification_method=issuers.method_id(issuer, certificate.credential.key),
    )


def _readable(content: bytes, checks: list[Check]) -> dict[str, Any] | None:
    """The document, if it has our contexts and our shape, before anything is made of it."""
    if len(content) > LARGEST_CREDENTIAL:
        checks.append(Check(What.FORMAT, False, "format.failed.size"))
        return None
    try:
        document = parse_json(content.removeprefix(BOM_UTF8))
    except Malformed:
        checks.append(Check(What.FORMAT, False, "format.failed.json"))
        return None
    if not isinstance(document, dict) or document.get("@context") != shape.CONTEXTS:
        checks.append(Check(What.FORMAT, False, "format.failed.contexts"))
        return None
    misfit = next(shape.misfits(document), None)
    if misfit is not None:
        checks.append(Check(What.FORMAT, False, "format.failed.shape", {"field": misfit[:LONGEST_NAME]}))
        return None
    checks.append(Check(What.FORMAT, True, "format.passed"))
    return document


def _issued(document: dict[str, Any], checks: list[Check]) -> Credential | None:
    credential_id = parse_uuid(document["id"].removeprefix("urn:uuid:"))
    credentials = Credential.objects.select_related("key", "issuer")
    found = credentials.filter(id=credential_id).first() if credential_id else None
    # As it is spelt, not only what it means.
    credential = found if found is not None and found.urn == document["id"] else None
    passed = credential is not None
    checks.append(Check(What.ISSUED, passed, "issued.passed" if passed else "issued.failed"))
    return credential


def _has_its_signature(document: dict[str, Any], credential: Credential, checks: list[Check]) -> bool:
    if document["proof"]["proofValue"] == credential.proof_value:
        checks.append(signature_check(credential))
        return checks[-1].passed
    checks.append(Check(What.SIGNATURE, False, "signature.failed"))
    # It may be from before it was signed again; or a thief's.
    key_id = parse_uuid(document["proof"]["verificationMethod"].rpartition("#")[2])
    keys = SigningKey.objects.for_organization(credential.organization_id)
    if key_id and keys.filter(id=key_id, compromised_at__isnull=False).exists():
        checks.append(Check(What.KEY, False, "key.failed"))
    return False


def _content_check(document: dict[str, Any], credential: Credential) -> Check:
    if not credential.document:
        return _digest_check(document, credential)
    original = parse_json(credential.document.encode())
    if different := list(_first(shape.differences(original, document))):
        return Check(What.CONTENT, False, "content.failed", {"fields": ", ".join(different)})
    return Check(What.CONTENT, True, "content.passed")


def _digest_check(document: dict[str, Any], credential: Credential) -> Check:
    """The original is erased: what was signed is known by its digest."""
    try:
        found = confinement.run("digest", json.dumps(document).encode())
    except confinement.TooMuchEffort:
        return Check(What.CONTENT, False, "content.failed.effort")
    if found["digest"] != bytes(credential.digest).hex():
        return Check(What.CONTENT, False, "content.failed.digest")
    return Check(What.CONTENT, True, "content.passed.digest")


def _first(names: Iterator[str]) -> Iterator[str]:
    for name, _ in zip(names, range(MOST_NAMED), strict=False):
        yield name[:LONGEST_NAME]
