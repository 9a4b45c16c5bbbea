"""All that it takes to check a certificate without us, in one ZIP file."""

import json
import zipfile
from io import BytesIO

from django.utils import formats, translation

from cerply import clock
from certificates import issuers, rendering, status_lists
from certificates.models import Certificate, Language
from certificates.sentences import say

README = (
    "bundle.intro",
    "",
    "bundle.pdf",
    "bundle.credential",
    "bundle.did",
    "bundle.status",
    "",
    "bundle.how",
    "",
    "bundle.step.key",
    "without.proof",
    "bundle.step.status",
    "",
    "bundle.online",
)


def bundle_of(certificate: Certificate, language: Language) -> bytes:
    """Names are always the same; keys and status list are as of now. With the credential's issuer and list selected."""
    credential = certificate.credential
    pdf, _ = rendering.pdf_of(certificate.id)
    keys = issuers.did_document(credential.issuer, issuers.trusted_keys(credential.issuer))
    status_list = status_lists.current(credential.status_list)
    files = {
        "README.txt": _readme(certificate, language).encode(),
        "certificate.pdf": pdf,
        "credential.json": credential.document.encode(),
        "did.json": json.dumps(keys, indent=2, ensure_ascii=False).encode(),
        "status-list.json": status_list.document.encode(),
    }
    output = BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # Without a date, the same files are the same bytes.
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return output.getvalue()


def _readme(certificate: Certificate, language: Language) -> str:
    with translation.override(language):
        date = formats.date_format(clock.now(), "j F Y" if language == Language.ENGLISH else "DATE_FORMAT")
    facts = {
        "track": certificate.track_title,
        "organization": certificate.organization_name,
        "date": date,
        "url": certificate.printed_url,
    }
    return "".join(f"{say(key, language, **facts) if key else ''}\r\n" for key in README)
