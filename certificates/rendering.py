"""Rendering certificates to PDF, once each; sealed, where there is a seal, before anybody sees them."""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypedDict, Unpack
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from cerply.errors import Gone
from cerply.metrics import Tally
from certificates import sealing, signing
from certificates.designs import fill, signatories_of
from certificates.models import Certificate, CertificateRendering, Language, Layout, Source
from certificates.pdf import INK, CertificateFacts, SignatoryFacts, render
from certificates.signed import SignedContent
from certificates.typesetting import clean
from certificates.wording import date

logger = logging.getLogger(__name__)

RENDERS = Tally("certificate_renders", "PDFs that were made, or should have been.", "outcome", ["rendered", "failed"])
MOST_IN_A_RUN = 2000
ERASED = "The name was removed from this certificate, and its files with it. Copies of it can still be verified."
LOGO_TYPES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg"}


class RenderedDifferently(Exception):
    """Fonts or libraries have changed since: the file that was lost must be restored from a backup."""


class Altered(Exception):
    """The credential is not what was signed: nothing of it is printed."""


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
        return _render_again(certificate_id)
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
    with _counted():
        page = render(facts_of(certificate))
        _save(certificate, page, sealing.seal(page))


@contextmanager
def _counted() -> Iterator[None]:
    try:
        yield
    except Exception:
        RENDERS.count("failed")
        raise
    RENDERS.count("rendered")


def _render_again(certificate_id: UUID) -> tuple[bytes, str]:
    """The same facts give the same page; if not, nothing is kept.

    No seal is like another, so that a sealed file becomes another rendering. The lost one's hash stays on record, and
    copies of it are as genuine as they were.
    """
    with transaction.atomic(), _counted():
        certificate = _locked(certificate_id)
        # Another request may have been faster.
        content = _stored(certificate)
        if content is None:
            lost = CertificateRendering.objects.get(sha256=certificate.pdf_sha256)
            page = render(facts_of(certificate))
            before, now = lost.page_sha256 or lost.sha256, hashlib.sha256(page).hexdigest()
            if now != before:
                raise RenderedDifferently(f"The page of certificate {certificate_id} was {before}, and is {now} now.")
            # One that was not sealed stays the file that it was, whatever is configured since.
            content = sealing.seal(page) if lost.page_sha256 else page
            damaged = certificate.pdf
            _save(certificate, page, content)
            if certificate.pdf != damaged:  # of a lost one, the name was free
                transaction.on_commit(lambda: default_storage.delete(damaged))
    return content, certificate.pdf_sha256


def _save(certificate: Certificate, page: bytes, content: bytes) -> None:
    """Under a name that no file has: what a row names is never written over, and so never half written."""
    name = certificate.file_name
    if not certificate.pdf:
        # What somebody left who was killed before the row named it.
        default_storage.delete(name)
    certificate.pdf = default_storage.save(name, ContentFile(content))
    certificate.pdf_sha256 = hashlib.sha256(content).hexdigest()
    certificate.save(update_fields=["pdf", "pdf_sha256"])
    # Made again, a lost file that is not sealed has the hash that is on record already.
    CertificateRendering.objects.get_or_create(
        sha256=certificate.pdf_sha256,
        defaults={
            "certificate": certificate,
            "key_id": certificate.credential.key_id,
            "page_sha256": hashlib.sha256(page).hexdigest() if content != page else "",
        },
    )


def issued_as(content: bytes) -> CertificateRendering | None:
    """The rendering that a file is, to the last byte, or none: then it is not a PDF as we issued it."""
    renderings = CertificateRendering.objects.select_related(
        "certificate__credential__key", "certificate__credential__issuer"
    )
    return renderings.filter(sha256=hashlib.sha256(content).hexdigest()).first()


def facts_of(certificate: Certificate) -> CertificateFacts:
    """What the signed credential says, in the dress that was frozen when it was issued. Raises `Altered`."""
    if not signing.is_intact(certificate.credential):
        raise Altered(f"The credential of certificate {certificate.id} was altered since it was signed.")
    signed = SignedContent.of(json.loads(certificate.credential.document))
    return dressed(
        certificate,
        learner_name=signed.learner_name or "",
        track_title=signed.title,
        organization_name=signed.organization_name,
        issued_at=signed.issued_at,
        expires_at=signed.valid_until,
        source=Source(signed.source),
        credential=certificate.credential.document,
    )


class Said(TypedDict):
    """What a page says, for `CertificateFacts`."""

    learner_name: str
    track_title: str
    organization_name: str
    issued_at: datetime
    expires_at: datetime | None
    source: Source
    credential: str


def dressed(certificate: Certificate, **said: Unpack[Said]) -> CertificateFacts:
    """This, in the certificate's language, design, colour and logo."""
    design, language = certificate.design, Language(certificate.language)
    placeholders = {
        "learner": clean(said["learner_name"]),
        "track": clean(said["track_title"]),
        "organization": clean(said["organization_name"]),
        "date": date(said["issued_at"], language),
    }
    return CertificateFacts(
        **said,
        certificate_id=certificate.id,
        track_language=certificate.track_version.language,
        verification_url=certificate.printed_url,
        language=language,
        layout=Layout(design.layout) if design else Layout.CLASSIC,
        statement=fill(design.texts.get(language, ""), placeholders) if design else "",
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
