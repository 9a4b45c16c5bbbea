"""What the holder of a certificate decides: who sees her name, and who gets the credential by a link."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record, record_many
from cerply import clock
from cerply.errors import Conflict, Gone
from cerply.permissions import Actor
from certificates.models import Certificate, ShareLink, Status

# Of one certificate, at a time.
MOST_LINKS = 50


def digest(secret: str) -> bytes:
    """SHA-256: the secret has 192 random bits, so a slow hash would protect nothing."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()


def url_of(certificate: Certificate, secret: str) -> str:
    """The page that the link leads to."""
    return f"{settings.PUBLIC_URL}/verify/{certificate.id}?share={secret}"


@transaction.atomic
def share(certificate: Certificate, *, actor: Actor) -> tuple[ShareLink, str]:
    """The link, and its secret, which nobody can show again."""
    # One after the other, so that there are never too many.
    locked = Certificate.objects.select_for_update(no_key=True, of=("self",)).get(id=certificate.id)
    if locked.erased_at:
        raise Gone("The name was removed from this certificate: there is nothing to share.")
    if ShareLink.objects.live().filter(certificate=certificate).count() >= MOST_LINKS:
        raise Conflict(f"The certificate has {MOST_LINKS} share links. Withdraw one first.")
    secret = secrets.token_urlsafe(24)
    link = ShareLink.objects.create(
        organization_id=certificate.organization_id, certificate=certificate, digest=digest(secret)
    )
    record(_event(EventType.SHARE_LINK_CREATED, link), actor=actor)
    return link, secret


@transaction.atomic
def withdraw(link: ShareLink, *, actor: Actor) -> None:
    """Ends it at once; of several calls one does it and is audited."""
    if ShareLink.objects.live().filter(id=link.id).update(withdrawn_at=clock.now()):
        record(_event(EventType.SHARE_LINK_WITHDRAWN, link), actor=actor)


def withdraw_all(certificates: Iterable[Certificate], *, actor: Actor) -> None:
    """Ends every link of theirs, in the caller's transaction."""
    live = ShareLink.objects.live().filter(certificate__in=certificates)
    links = list(live.order_by("id").select_for_update(no_key=True))
    ShareLink.objects.filter(id__in=[link.id for link in links]).update(withdrawn_at=clock.now())
    record_many([_event(EventType.SHARE_LINK_WITHDRAWN, link) for link in links], actor=actor)


def shows_name(certificate: Certificate, moment: datetime, *, by_link: bool = False) -> bool:
    """Whether a stranger sees the learner's name: one who has a link from her, or the certificate's address alone."""
    status = certificate.status_at(moment)
    if by_link:
        return status in {Status.VALID, Status.EXPIRED}
    return certificate.name_visible and status is Status.VALID


def linkedin_url(certificate: Certificate) -> str:
    """Where LinkedIn lets her add it to her profile, with its form filled in."""
    issued, expires = certificate.issued_at.astimezone(UTC), certificate.expires_at
    form = {
        "startTask": "CERTIFICATION_NAME",
        "name": certificate.track_title,
        "organizationName": certificate.organization_name,
        "issueYear": issued.year,
        "issueMonth": issued.month,
        "certUrl": certificate.printed_url,
        "certId": certificate.id,
    }
    if expires:
        form |= {"expirationYear": expires.astimezone(UTC).year, "expirationMonth": expires.astimezone(UTC).month}
    return f"https://www.linkedin.com/profile/add?{urlencode(form)}"


def find(secret: str) -> ShareLink | None:
    """The link of this secret; it may have been withdrawn."""
    return ShareLink.objects.select_related("certificate__credential").filter(digest=digest(secret)).first()


@transaction.atomic
def record_use(link: ShareLink, *, actor: Actor) -> None:
    """To be called each time that it shows somebody something."""
    record(_event(EventType.SHARE_LINK_USED, link), actor=actor)


@transaction.atomic
def show_name(certificate_id: UUID, visible: bool, *, actor: Actor) -> None:
    """Whether who scans the certificate's code sees the learner's name. What it is already is not recorded."""
    certificates = Certificate.objects.filter(id=certificate_id)
    if not certificates.exclude(name_visible=visible).update(name_visible=visible):
        return
    organization_id = certificates.values_list("organization_id", flat=True).get()
    event = Event(
        EventType.NAME_VISIBILITY_CHANGED, organization_id, "certificate", certificate_id, {"visible": visible}
    )
    record(event, actor=actor)


def _event(type_: EventType, link: ShareLink) -> Event:
    metadata = {"linkId": str(link.id)}
    return Event(type_, link.organization_id, "certificate", link.certificate_id, metadata)
