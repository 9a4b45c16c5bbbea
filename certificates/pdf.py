"""A certificate as one A4 page to print: a pure function of the facts that were frozen when it was issued."""

import io
import uuid
from base64 import b64encode
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from threading import Lock
from typing import Any

import segno
from django.template.loader import render_to_string
from PIL import Image, ImageFile, ImageOps, ImageStat
from weasyprint import CSS, HTML, Document
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher

from certificates import archival, layouts, ornaments, typesetting
from certificates.colour import NEUTRAL, readable
from certificates.models import Language, Layout, Source
from certificates.wording import WORDING, date

# WeasyPrint makes Pillow take pictures that are cut short, in all of the process: also those that somebody uploads.
ImageFile.LOAD_TRUNCATED_IMAGES = False

INK = "#16191c"
LOGO_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}
# The room for it in the style sheets, at 350 dots per inch.
LOGO_PIXELS = (1020, 360)
SIGNATURE_PIXELS = (634, 171)
POINTS, CSS_PIXELS = 72 / 25.4, 96 / 25.4
ATTEMPTS = 7
QUIET_ZONE = 4
QR_PIXELS_PER_MODULE = 4

# Pango's font maps are not thread-safe, and one is shared by all pages of a process.
press = Lock()


@dataclass(frozen=True, kw_only=True)
class SignatoryFacts:
    name: str
    title: str = ""
    signature: bytes | None = field(default=None, repr=False)
    """A picture of it, as PNG; without one there is room to sign."""


@dataclass(frozen=True, kw_only=True)
class CertificateFacts:
    """All that a certificate says. Times are aware; the page shows the dates that they have in UTC."""

    certificate_id: uuid.UUID
    learner_name: str
    track_title: str
    track_language: str = "en"
    organization_name: str
    issued_at: datetime
    expires_at: datetime | None
    verification_url: str
    source: Source
    credential: str = field(default="", repr=False)
    """The signed credential as it is given away, which is attached; a preview has none."""
    language: Language = Language.ENGLISH
    layout: Layout = Layout.CLASSIC
    statement: str = ""
    """The organization's own sentence, with its placeholders filled in."""
    signatories: tuple[SignatoryFacts, ...] = ()
    colour: str = NEUTRAL
    """`#rrggbb`; too light a one is darkened, anything else is taken for none."""
    ink: str = INK
    """The colour of the name; likewise."""
    logo: bytes | None = field(default=None, repr=False)
    logo_type: str | None = None
    """`image/png` or `image/jpeg`."""


def render(facts: CertificateFacts) -> bytes:
    """The same facts give the same bytes, in any process with the same fonts and libraries."""
    with press:
        content, missing = _print(facts)
        if missing:
            # No font has them, and a page that is to last must show of each letter which one it is.
            content, _ = _print(_without(facts, missing))
        return content


def _print(facts: CertificateFacts) -> tuple[bytes, dict[int, str]]:
    """The page, and the characters that no font has."""
    document = _compose(facts)
    mirrored = WORDING[facts.language].right_to_left
    attachment = None
    if facts.credential:
        attachment = archival.attach(
            facts.credential, facts.issued_at, WORDING[facts.language].kind, _workshop(facts.layout)[2]
        )
    ornament = layouts.ornament(facts.layout, readable(facts.colour), mirrored=mirrored)
    content = archival.write(document, ornament, attachment, facts.certificate_id.hex.encode())
    return content, archival.unprintable(document)


def _without(facts: CertificateFacts, missing: dict[int, str]) -> CertificateFacts:
    def said(text: str) -> str:
        return typesetting.clean(text).translate(missing)

    return replace(
        facts,
        learner_name=said(facts.learner_name),
        track_title=said(facts.track_title),
        organization_name=said(facts.organization_name),
        statement=said(facts.statement),
        signatories=tuple(
            replace(signatory, name=said(signatory.name), title=said(signatory.title))
            for signatory in facts.signatories
        ),
    )


def _compose(facts: CertificateFacts) -> Document:
    """Sizes are chosen by an estimate; in the rare case that the page proves it wrong, by the next smaller ones."""
    fonts, stylesheet, fetcher = _workshop(facts.layout)
    context = _context(facts)
    sheet, signed = layouts.SHEETS[facts.layout], bool(facts.signatories)
    for squeeze in range(ATTEMPTS):
        for name, text, scale, language in (
            ("name", facts.learner_name, sheet.signed_name if signed else sheet.name, facts.language),
            ("title", facts.track_title, sheet.signed_title if signed else sheet.title, facts.track_language),
            ("organization", facts.organization_name, typesetting.ORGANIZATION, facts.language),
        ):
            context[name] = typesetting.set_text(text, scale, sheet.width * POINTS, squeeze, language)
        # Nothing but nonsense needs the last attempt; it may lose lines, but must not run over what is below.
        context["cropped"] = squeeze == ATTEMPTS - 1
        html = HTML(string=render_to_string("certificates/certificate.html", context), url_fetcher=fetcher)
        document = archival.lay_out(html, fonts, stylesheet)
        if _fits(document, sheet.stage_height(signed)):
            break
    return document


def _fits(document: Document, height: float) -> bool:
    """Whether the words stay on their stage. WeasyPrint's anchors are left, top, right, bottom."""
    words, stage = (document.pages[0].anchors[name] for name in ("words", "stage"))
    return bool(words[1] >= stage[1] - 1 and words[3] <= stage[1] + height * CSS_PIXELS + 1)


@cache
def _workshop(layout: Layout) -> tuple[FontConfiguration, CSS, URLFetcher]:
    """What every page of a layout needs and no page changes."""
    fonts, fetcher = _fonts()
    faces = {
        "upright": _data_uri("font/ttf", typesetting.DISPLAY_FONT.read_bytes()),
        "italic": _data_uri("font/ttf", typesetting.DISPLAY_FONT.with_name("EBGaramond-Italic.ttf").read_bytes()),
    }
    css = "".join(render_to_string(f"certificates/{name}.css", faces) for name in ("certificate", layout))
    return fonts, CSS(string=css, font_config=fonts, url_fetcher=fetcher), fetcher


@cache
def _fonts() -> tuple[FontConfiguration, URLFetcher]:
    """Only `data:` is fetched: neither the network nor a file."""
    return FontConfiguration(), URLFetcher(allowed_protocols={"data"}, allow_redirects=False)


def _context(facts: CertificateFacts) -> dict[str, Any]:
    logo, plate = _logo(facts.logo, facts.logo_type)
    wording, accent = WORDING[facts.language], readable(facts.colour)
    names = {
        "learner": typesetting.clean(facts.learner_name),
        "track": typesetting.clean(facts.track_title),
        "organization": typesetting.clean(facts.organization_name),
    }
    on_band = facts.layout is Layout.MODERN
    return {
        "wording": wording,
        "language": facts.language,
        "direction": "rtl" if wording.right_to_left else "ltr",
        "layout": facts.layout,
        "document_title": wording.document_title.format(**names),
        "certificate_id": str(facts.certificate_id),
        "accent": accent,
        "ink": readable(facts.ink),
        "seal": ornaments.seal(),
        "seal_line": "white" if on_band else accent,
        "seal_fill": "white" if on_band else accent,
        "seal_text": accent if on_band else "white",
        "logo": logo,
        "plate": plate,
        "logo_says": wording.logo.format(organization=names["organization"]),
        "initials": typesetting.initials(facts.organization_name),
        "statement": typesetting.clean(facts.statement),
        "basis": wording.basis[facts.source],
        "signatories": [_signatory(signatory, facts.language) for signatory in facts.signatories],
        "issued": date(facts.issued_at, facts.language),
        "expires": date(facts.expires_at, facts.language) if facts.expires_at else wording.no_expiry,
        "timestamp": facts.issued_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "verification_url": facts.verification_url,
        "qr_code": _qr_code(facts.verification_url),
    }


def _signatory(signatory: SignatoryFacts, language: Language) -> dict[str, Any]:
    name = typesetting.clean(signatory.name)
    return {
        "name": name,
        "title": typesetting.clean(signatory.title),
        "direction": typesetting.direction(name),
        "lang": typesetting.language_of(name, language),
        "picture": _picture(signatory.signature),
        "says": WORDING[language].signature.format(name=name),
    }


def _qr_code(url: str) -> str:
    image = io.BytesIO()
    segno.make(url, error="m", micro=False).save(image, kind="png", scale=QR_PIXELS_PER_MODULE, border=QUIET_ZONE)
    return _data_uri("image/png", image.getvalue())


@lru_cache(maxsize=16)
def _logo(content: bytes | None, media_type: str | None) -> tuple[str | None, bool]:
    """The logo, and whether it needs a dark plate behind it: one made for dark backgrounds vanishes on paper.

    A logo that cannot be read must not keep the learner from her certificate: the initials take its place.
    """
    if not content or media_type not in LOGO_FORMATS:
        return None, False
    try:
        with Image.open(io.BytesIO(content), formats=[LOGO_FORMATS[media_type]]) as image:
            picture = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None, False
    picture.thumbnail(LOGO_PIXELS)
    is_light = _is_light(picture)
    output = io.BytesIO()
    (picture.convert("RGB") if picture.getchannel("A").getextrema() == (255, 255) else picture).save(output, "PNG")
    return _data_uri("image/png", output.getvalue()), is_light


@lru_cache(maxsize=48)
def _picture(content: bytes | None) -> str | None:
    """A signature, as large as it is printed; one that cannot be read leaves the room to sign."""
    if not content:
        return None
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            picture = image.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    picture.thumbnail(SIGNATURE_PIXELS)
    output = io.BytesIO()
    picture.save(output, "PNG")
    return _data_uri("image/png", output.getvalue())


def _is_light(picture: Image.Image) -> bool:
    """Whether there is a background to see through, and nearly white is all that stands on it."""
    alpha = picture.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return False
    drawn = alpha.point(lambda value: 255 if value > 127 else 0)
    return ImageStat.Stat(picture.convert("L"), drawn).count[0] > 0 and (
        ImageStat.Stat(picture.convert("L"), drawn).mean[0] > 225
    )


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(content).decode()}"
