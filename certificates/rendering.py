"""Rendering certificates to PDF, once each."""

import hashlib
import logging
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from cerply.errors import Gone
from certificates.designs import fill, signatories_of
from certificates.models import Certificate, CertificateRendering, Language, Layout, Source
from certificates.pdf import INK, CertificateFacts, SignatoryFacts, render
from certificates.typesetting import clean
from certificates.wording import date

logger = logging.getLogger(__name__)

MOST_IN_A_RUN = 2000
ERASED = "The name was removed from this certificate, and its files with it. Copies of it can still be verified."
LOGO_TYPES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg"}


class RenderedDifferently(Exception):
    """Fonts or libraries have changed since: the file that was lost must be restored from a backup."""


class NotRendered(Exception):
    """Some certificates could not be rendered; the log says why. The others were."""


def render_owed() -> str:
    """The job: renders what has no PDF yet, oldest first, each in a transaction of its own.

    One that cannot be rendered does not keep the others waiting. Raises `NotRendered` when all have been tried.
    """
    rendered = 0
    failed: list[UUID] = []
    latest: Certificate | None = None
    while rendered + len(failed) < MOST_IN_A_RUN:
        with transaction.atomic():
            owed = Certificate.objects.owed_a_pdf().after(latest)
            latest = owed.select_for_update(skip_locked=True).first()
            if latest is None:
                break
            try:
                with transaction.atomic():
                    _render(latest)
                rendered += 1
            except Exception:
                logger.exception("certificate %s cannot be rendered", latest.id)
                failed.append(latest.id)
    if failed:
        raise NotRendered(f"Rendered {rendered} certificates; could not render {len(failed)}, one of them {failed[0]}.")
    return f"Rendered {rendered} certificates."


def pdf_of(certificate_id: UUID) -> tuple[bytes, str]:
    """The PDF and its SHA-256 in hex; rendered now where the job has not come to it yet.

    Raises `Gone` once it is erased.
    """
    certificate = Certificate.objects.get(id=certificate_id)
    if not certificate.pdf:
        with transaction.atomic():
            certificate = _locked(certificate_id)
            if not certificate.pdf:
                _render(certificate)
    content = _stored(certificate)
    if content is None:
        logger.warning("the storage has lost or damaged %s: it is rendered again", certificate.pdf)
        content = _render_again(certificate_id)
    return content, certificate.pdf_sha256


def _locked(certificate_id: UUID) -> Certificate:
    """Whoever erases it comes before, and there is nothing to render; or after, and deletes what was rendered."""
    certificate = Certificate.objects.select_for_update().get(id=certificate_id)
    if certificate.erased_at:
        raise Gone(ERASED)
    return certificate


def _stored(certificate: Certificate) -> bytes | None:
    """The file, if it is what was rendered: a crash of the machine may have cut it short."""
    try:
        with default_storage.open(certificate.pdf) as file:
            content = bytes(file.read())
    except FileNotFoundError:
        return None
    return content if hashlib.sha256(content).hexdigest() == certificate.pdf_sha256 else None


def _render(certificate: Certificate) -> None:
    """The caller has locked the row. Who dies in between leaves a file that nobody names, and the row still owes."""
    _save(certificate, render(facts_of(certificate)))


def _render_again(certificate_id: UUID) -> bytes:
    """The same facts give the same bytes; if not, nothing is kept."""
    with transaction.atomic():
        certificate = _locked(certificate_id)
        # Another request may have been faster.
        content = _stored(certificate)
        if content is None:
            content = render(facts_of(certificate))
            before, now = certificate.pdf_sha256, hashlib.sha256(content).hexdigest()
            if now != before:
                raise RenderedDifferently(f"Certificate {certificate_id} was {before}, and is {now} now.")
            damaged = certificate.pdf
            _save(certificate, content)
            transaction.on_commit(lambda: default_storage.delete(damaged))
    return content


def _save(certificate: Certificate, content: bytes) -> None:
    """Under a name that no file has: what a row names is never written over, and so never half written."""
    name = certificate.file_name
    if not certificate.pdf:
        # What somebody left who was killed before the row named it.
        default_storage.delete(name)
    certificate.pdf = default_storage.save(name, ContentFile(content))
    certificate.pdf_sha256 = hashlib.sha256(content).hexdigest()
    certificate.save(update_fields=["pdf", "pdf_sha256"])
    # Made again, a lost file has the hash that is on record already.
    CertificateRendering.objects.get_or_create(sha256=certificate.pdf_sha256, defaults={"certificate": certificate})


def issued_as(content: bytes) -> CertificateRendering | None:
    """The rendering that a file is, to the last byte, or none: then it is not a PDF as we issued it."""
    renderings = CertificateRendering.objects.select_related(
        "certificate__credential__key", "certificate__credential__issuer"
    )
    return renderings.filter(sha256=hashlib.sha256(content).hexdigest()).first()


def facts_of(certificate: Certificate) -> CertificateFacts:
    """What was frozen when it was issued."""
    design, language = certificate.design, Language(certificate.language)
    said = {
        "learner": clean(certificate.learner_name),
        "track": clean(certificate.track_title),
        "organization": clean(certificate.organization_name),
        "date": date(certificate.issued_at, language),
    }
    return CertificateFacts(
        certificate_id=certificate.id,
        learner_name=certificate.learner_name,
        track_title=certificate.track_title,
        track_language=certificate.track_version.language,
        organization_name=certificate.organization_name,
        issued_at=certificate.issued_at,
        expires_at=certificate.expires_at,
        verification_url=certificate.printed_url,
        source=Source(certificate.source),
        credential=certificate.credential.document,
        language=language,
        layout=Layout(design.layout) if design else Layout.CLASSIC,
        statement=fill(design.texts.get(language, ""), said) if design else "",
        signatories=tuple(
            SignatoryFacts(name=signatory.name, title=signatory.title, signature=_picture(signatory.signature))
            for signatory in (signatories_of(design) if design else ())
        ),
        colour=certificate.colour,
        ink=(design.ink if design else "") or INK,
        logo=_picture(certificate.logo),
        logo_type=LOGO_TYPES.get(certificate.logo.rpartition(".")[2].lower()),
    )


def _picture(name: str) -> bytes | None:
    """None also for one that is lost: it must not keep the learner from her certificate."""
    if not name:
        return None
    try:
        with default_storage.open(name) as file:
            return bytes(file.read())
    except FileNotFoundError:
        logger.error("the storage has lost the picture %s", name)
        return None
