"""Keeping count of the downloads of certificates, and a record of those of credentials."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply.errors import ApiError
from cerply.metrics import Tally
from cerply.permissions import Actor
from certificates.models import Certificate

DOWNLOADS = Tally("certificate_downloads", "PDFs that their readers asked for.", "outcome", ["served", "failed"])


@contextmanager
def count_failure() -> Iterator[None]:
    """Of what is ours: that it is gone, or not hers, is an answer."""
    try:
        yield
    except ApiError:
        raise
    except Exception:
        DOWNLOADS.count("failed")
        raise


@transaction.atomic
def count_download(certificate: Certificate, *, actor: Actor) -> None:
    """To be called each time that the file is given away."""
    metadata = {"learnerId": str(certificate.learner_id)}
    event = Event(
        EventType.CERTIFICATE_DOWNLOADED, certificate.organization_id, "certificate", certificate.id, metadata
    )
    record(event, actor=actor)
    DOWNLOADS.count("served")


@transaction.atomic
def record_credential_download(certificate: Certificate, *, actor: Actor) -> None:
    """To be called each time that the credential is given away; it is no download of the KPI."""
    metadata = {"learnerId": str(certificate.learner_id)}
    event = Event(EventType.CREDENTIAL_DOWNLOADED, certificate.organization_id, "certificate", certificate.id, metadata)
    record(event, actor=actor)
