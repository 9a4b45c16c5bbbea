"""Pages to look at, and the programs of others that look at them."""

import os
import shutil
import subprocess
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import page
import pytest
from PIL import Image, ImageDraw

from certificates.models import Language, Layout, Source
from certificates.pdf import CertificateFacts, SignatoryFacts

CREDENTIAL = '{"id": "urn:uuid:5d0a1c1e-9f0b-4f6e-8a63-2f9d1f6d2b10", "name": "Größe 田中 ليلى"}\n'
ADDRESS = "https://cerply.example/verify/5d0a1c1e-9f0b-4f6e-8a63-2f9d1f6d2b10"


def make_picture(mode: str = "RGBA", size: tuple[int, int] = (300, 80), kind: str = "PNG", **options: Any) -> bytes:
    image = Image.new(mode, size)
    ImageDraw.Draw(image).line([(5, 5), (size[0] - 5, size[1] - 5)], fill=(20, 30, 120, 255)[: len(mode)], width=5)
    output = BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def make_facts(**fields: Any) -> CertificateFacts:
    return CertificateFacts(
        **{
            "certificate_id": UUID("5d0a1c1e-9f0b-4f6e-8a63-2f9d1f6d2b10"),
            "learner_name": "Maya Lindqvist",
            "track_title": "Fire Safety Fundamentals",
            "organization_name": "Nordlys Energy",
            "issued_at": datetime(2026, 11, 4, 9, 30, tzinfo=UTC),
            "expires_at": datetime(2028, 11, 4, 9, 30, tzinfo=UTC),
            "verification_url": ADDRESS,
            "source": Source.SYSTEM,
            "credential": CREDENTIAL,
            **fields,
        }
    )


def make_full_facts(layout: Layout, language: Language, **fields: Any) -> CertificateFacts:
    """With everything that a design may have."""
    signatories = (
        SignatoryFacts(name="Tomás Ferreira", title="Head of Safety", signature=make_picture()),
        SignatoryFacts(name="Amina Yusuf", title="Managing Director"),
        SignatoryFacts(name="田中 陽子", title="安全部長", signature=make_picture("RGB")),
    )
    return make_facts(
        **{
            "layout": layout,
            "language": language,
            "statement": "Congratulations from all of us.",
            "signatories": signatories,
            "logo": make_picture(),
            "logo_type": "image/png",
            **fields,
        }
    )


def failures(content: bytes) -> list[str]:
    """What keeps a file from being PDF/A-3a and PDF/UA-1, and one page."""
    found = []
    for profile in (page.ValidationProfile.PDF_A_3A, page.ValidationProfile.PDF_UA_1):
        report = page.validate_pdf_bytes(content, profile=profile)
        found += [f"{failure.rule_id}: {failure.message}" for failure in report.failures]
        if not report.is_compliant and not found:
            found.append(f"not {profile}")
        if report.document.page_count != 1:
            found.append(f"{report.document.page_count} pages")
    return found


def run(program: str, *arguments: str | Path) -> str:
    """What the program writes. Left out where it is missing, unless it is required."""
    if shutil.which(program) is None and os.environ.get("CHECKERS") != "required":
        pytest.skip(f"{program} is missing: see scripts/setup_checkers.sh")
    done = subprocess.run([program, *arguments], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout
