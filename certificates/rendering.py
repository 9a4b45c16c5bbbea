"""Rendering certificates to PDF, once each."""

import hashlib
import logging
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from certificates.models import Certificate, Source
from certificates.pdf import CertificateFacts, render

logger = logging.getLogger(__name__)

MOST_IN_A_RUN = 2000
LOGO_TYPES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg"}


class RenderedDifferently(Exception):
    """Fonts or libraries have changed since: the file that was lost must be restored from a backup."""


def render_owed() -> str:
    """The job: renders what has no PDF yet, oldest first, each in a transaction of its own."""
    rendered = 0
    while rendered < MOST_IN_A_RUN:
        with transaction.atomic():
            owed = Certificate.objects.owed_a_pdf().order_by("issued_at")
            certificate = owed.select_for_update(skip_locked=True).first()
            if certificate is None:
                break
            _render(certificate)
        rendered += 1
    return f"Rendered {rendered} certificates."


def pdf_of(certificate_id: UUID) -> tuple[bytes, str]:
    """The PDF and its SHA-256 in hex; rendered now where the job has not come to it yet."""
    certificate = Certificate.objects.get(id=certificate_id)
    if not certificate.pdf:
        with transaction.atomic():
            certificate = Certificate.objects.select_for_update().get(id=certificate_id)
            if not certificate.pdf:
                _render(certificate)
    try:
        with default_storage.open(certificate.pdf) as file:
            return bytes(file.read()), certificate.pdf_sha256
    except FileNotFoundError:
        logger.warning("the storage has lost %s: it is rendered again", certificate.pdf)
        return _render_again(certificate_id), certificate.pdf_sha256


def _render(certificate: Certificate) -> bytes:
    """The caller has locked the row. Who dies in between leaves a file that nobody names, and the row still owes."""
    content = render(facts_of(certificate))
    name = f"certificates/{certificate.id.hex[:2]}/{certificate.id}.pdf"
    default_storage.delete(name)
    certificate.pdf = default_storage.save(name, ContentFile(content))
    certificate.pdf_sha256 = hashlib.sha256(content).hexdigest()
    certificate.save(update_fields=["pdf", "pdf_sha256"])
    return content


def _render_again(certificate_id: UUID) -> bytes:
    """The same facts give the same bytes; if not, nothing is kept."""
    with transaction.atomic():
        certificate = Certificate.objects.select_for_update().get(id=certificate_id)
        before = certificate.pdf_sha256
        content = _render(certificate)
        if certificate.pdf_sha256 != before:
            default_storage.delete(certificate.pdf)
            raise RenderedDifferently(
                f"Certificate {certificate_id} was {before}, and is {certificate.pdf_sha256} now."
            )
    return content


def facts_of(certificate: Certificate) -> CertificateFacts:
    """What was frozen when it was issued."""
    logo = _logo(certificate.logo)
    return CertificateFacts(
        certificate_id=certificate.id,
        learner_name=certificate.learner_name,
        track_title=certificate.track_title,
        organization_name=certificate.organization_name,
        issued_at=certificate.issued_at,
        expires_at=certificate.expires_at,
        verification_url=certificate.printed_url,
        source=Source(certificate.source),
        colour=certificate.colour,
        logo=logo,
        logo_type=LOGO_TYPES.get(certificate.logo.rpartition(".")[2].lower()),
    )


def _logo(name: str) -> bytes | None:
    if not name:
        return None
    with default_storage.open(name) as file:
        return bytes(file.read())
