"""A design on paper before it is saved: a certificate that nobody holds."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings

from cerply import clock
from cerply.accounts.models import Organization
from cerply.tracks.models import TrackVersion
from certificates.designs import Design, unsaved
from certificates.models import Certificate, Credential, Language, Source
from certificates.pdf import render
from certificates.rendering import dressed

# Known to nobody: who scans the code learns that there is no such certificate.
NOBODY = UUID("00000000-0000-4000-8000-000000000000")
LEARNERS = {
    Language.ENGLISH: "Maya Lindqvist",
    Language.GERMAN: "Zoë Müller",
    Language.FRENCH: "François L’Écuyer",
    Language.SPANISH: "Lucía Muñoz Íñiguez",
    Language.ARABIC: "ليلى حدّاد",
    Language.JAPANESE: "田中 陽子",
}
TRACKS = {
    Language.ENGLISH: "Fire Safety Fundamentals",
    Language.GERMAN: "Grundlagen des Brandschutzes",
    Language.FRENCH: "Sécurité incendie : les bases",
    Language.SPANISH: "Fundamentos de seguridad contra incendios",
    Language.ARABIC: "أساسيات السلامة من الحرائق",
    Language.JAPANESE: "防火安全の基礎",
}


def preview(organization: Organization, design: Design, language: Language) -> bytes:
    """The PDF, by the same way as every other; nothing is stored, and it has no credential."""
    version, now = unsaved(organization, design), clock.now()
    certificate = Certificate(
        id=NOBODY,
        organization=organization,
        credential=Credential(id=NOBODY, document=""),
        track_version=TrackVersion(title=TRACKS[language], language=language),
        colour=version.printed_colour,
        logo=version.printed_logo,
        design=version,
        language=language,
        public_url=settings.PUBLIC_URL,
    )
    facts = dressed(
        certificate,
        learner_name=LEARNERS[language],
        track_title=TRACKS[language],
        organization_name=organization.name,
        issued_at=now,
        expires_at=now + timedelta(days=730),
        source=Source.SYSTEM,
        credential="",
    )
    return render(facts)
