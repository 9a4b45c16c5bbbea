"""Designs of certificates: their sentences with placeholders, and new versions."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply.accounts.models import Organization
from cerply.permissions import Actor
from certificates.models import CertificateDesign, Language, Layout

PLACEHOLDERS = frozenset({"learner", "track", "organization", "date"})
MOST_SIGNATORIES = 3
LONGEST_TEXT = 300
ALLOWED = ", ".join(f"{{{name}}}" for name in sorted(PLACEHOLDERS))
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True)
class Signatory:
    name: str
    title: str = ""
    signature: str = ""
    """The name under which the storage keeps the picture."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """What a version says. Colours are `#rrggbb`; without one, or a logo, those of the organization are taken."""

    layout: Layout = Layout.CLASSIC
    colour: str = ""
    ink: str = ""
    logo: str = ""
    signatories: tuple[Signatory, ...] = ()
    texts: Mapping[Language, str] = field(default_factory=dict)


def check_text(text: str) -> None:
    """Raises ``ValidationError`` naming each placeholder that there is not."""
    unknown = sorted({found[1] for found in _PLACEHOLDER.finditer(text)} - PLACEHOLDERS)
    if unknown:
        said = ", ".join(f"{{{name}}}" for name in unknown)
        raise ValidationError(f"There is no placeholder {said}. Use {ALLOWED}.")
    if re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
        raise ValidationError(f"Braces stand around placeholders alone: {ALLOWED}.")


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders filled in, once: what a value contains is never looked at again."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


@transaction.atomic
def change_design(organization_id: UUID, design: Design, *, actor: Actor) -> CertificateDesign:
    """The next version, which certificates bear from now on. Raises ``ValidationError`` for what cannot be printed."""
    _check(design)
    # Two who save at once get numbers after each other.
    organization = Organization.objects.locked().get(id=organization_id)
    before = CertificateDesign.objects.current_of(organization_id)
    version = unsaved(organization, design)
    version.number = before.number + 1 if before else 1
    version.full_clean()
    version.save(force_insert=True)
    metadata = {"number": version.number, "layout": version.layout}
    event = Event(EventType.CERTIFICATE_DESIGN_CHANGED, organization_id, "certificate_design", version.id, metadata)
    record(event, actor=actor)
    return version


def unsaved(organization: Organization, design: Design) -> CertificateDesign:
    """As it would be stored; for a preview."""
    return CertificateDesign(
        organization=organization,
        number=1,
        layout=design.layout,
        colour=design.colour.lower(),
        ink=design.ink.lower(),
        logo=design.logo,
        signatories=[
            {"name": signatory.name, "title": signatory.title, "signature": signatory.signature}
            for signatory in design.signatories
        ],
        texts={language.value: text for language, text in design.texts.items() if text},
    )


def signatories_of(design: CertificateDesign) -> Iterable[Signatory]:
    return (Signatory(**fields) for fields in design.signatories)


def _check(design: Design) -> None:
    if len(design.signatories) > MOST_SIGNATORIES:
        raise ValidationError(f"A certificate has at most {MOST_SIGNATORIES} signatories.")
    for text in design.texts.values():
        if len(text) > LONGEST_TEXT:
            raise ValidationError(f"A text has at most {LONGEST_TEXT} characters.")
        check_text(text)
