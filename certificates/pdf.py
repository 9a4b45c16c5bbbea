"""A certificate as one A4 page to print: a pure function of the facts that were frozen when it was issued."""

import io
import uuid
import zlib
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache
from threading import Lock

import pydyf
import segno
from django.template.loader import render_to_string
from django.utils import dateformat, translation
from PIL import Image, ImageOps, ImageStat
from weasyprint import CSS, HTML, Document
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher

from certificates import ornaments, typesetting
from certificates.colour import NEUTRAL, readable
from certificates.models import Source

BASIS = {
    Source.SELF: "Based on answers recorded by the learner.",
    Source.SYSTEM: "Based on answers recorded by the organization’s systems.",
    Source.OUTSIDE: "Completed outside Cerply, as confirmed by the organization.",
}
LOGO_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}
# The room for it in certificate.css, at 350 dots per inch.
LOGO_PIXELS = (1020, 248)
# Of the stage in certificate.css: its width in points, its height in CSS pixels.
TEXT_WIDTH = 231 / 25.4 * 72
STAGE_HEIGHT = 125 / 25.4 * 96
ATTEMPTS = 5
QUIET_ZONE = 4
QR_PIXELS_PER_MODULE = 4

# Pango's font maps are not thread-safe, and one is shared by all pages of a process.
press = Lock()


@dataclass(frozen=True, kw_only=True)
class CertificateFacts:
    """All that a certificate says. Times are aware; the page shows the dates that they have in UTC."""

    certificate_id: uuid.UUID
    learner_name: str
    track_title: str
    organization_name: str
    issued_at: datetime
    expires_at: datetime | None
    verification_url: str
    source: Source
    colour: str = NEUTRAL
    """`#rrggbb`; too light a one is darkened, anything else is taken for none."""
    logo: bytes | None = field(default=None, repr=False)
    logo_type: str | None = None
    """`image/png` or `image/jpeg`."""


def render(facts: CertificateFacts) -> bytes:
    """The same facts give the same bytes, in any process with the same fonts and libraries."""
    with press:
        return _write(_compose(facts), facts)


def _compose(facts: CertificateFacts) -> Document:
    """Sizes are chosen by an estimate; in the rare case that the page proves it wrong, by the next smaller ones."""
    fonts, stylesheet, fetcher = _workshop()
    context = _context(facts)
    for squeeze in range(ATTEMPTS):
        for name, text, scale in (
            ("name", facts.learner_name, typesetting.NAME),
            ("title", facts.track_title, typesetting.TITLE),
            ("organization", facts.organization_name, typesetting.ORGANIZATION),
        ):
            context[name] = typesetting.set_text(text, scale, TEXT_WIDTH, squeeze)
        # Nothing but nonsense needs the last attempt; it may lose lines, but must not run over what is below.
        context["cropped"] = squeeze == ATTEMPTS - 1
        html = HTML(string=render_to_string("certificates/certificate.html", context), url_fetcher=fetcher)
        document: Document = html.render(font_config=fonts, stylesheets=[stylesheet])
        if _fits(document):
            break
    return document


def _fits(document: Document) -> bool:
    """Whether the words stay on their stage. WeasyPrint's anchors are left, top, right, bottom."""
    words, stage = (document.pages[0].anchors[name] for name in ("words", "stage"))
    return bool(words[1] >= stage[1] - 1 and words[3] <= stage[1] + STAGE_HEIGHT + 1)


def _write(document: Document, facts: CertificateFacts) -> bytes:
    """The one place that chooses the kind of PDF; the dates come from the page's metadata."""

    def draw_frame(_document: Document, pdf: pydyf.PDF) -> None:
        page = next(item for item in pdf.objects if isinstance(item, pydyf.Dictionary) and item.get("Type") == "/Page")
        frame = pydyf.Stream([_frame(readable(facts.colour))], {"Filter": "/FlateDecode"})
        pdf.add_object(frame)
        page["Contents"] = pydyf.Array([frame.reference, page["Contents"]])

    pdf: bytes = document.write_pdf(pdf_identifier=facts.certificate_id.hex.encode(), finisher=draw_frame)
    return pdf


@lru_cache(maxsize=64)
def _frame(colour: str) -> bytes:
    """The frame under the words: not a part of the text, and so marked as an artifact."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    stroke = f"/Artifact BMC q {red:.4f} {green:.4f} {blue:.4f} RG\n".encode()
    return zlib.compress(stroke + ornaments.frame() + b"\nQ EMC\n")


@cache
def _workshop() -> tuple[FontConfiguration, CSS, URLFetcher]:
    """What every page needs and no page changes. Only `data:` is fetched: neither the network nor a file."""
    fonts = FontConfiguration()
    fetcher = URLFetcher(allowed_protocols={"data"})
    faces = {
        "upright": _data_uri("font/ttf", typesetting.DISPLAY_FONT.read_bytes()),
        "italic": _data_uri("font/ttf", typesetting.DISPLAY_FONT.with_name("EBGaramond-Italic.ttf").read_bytes()),
    }
    css = render_to_string("certificates/certificate.css", faces)
    return fonts, CSS(string=css, font_config=fonts, url_fetcher=fetcher), fetcher


def _context(facts: CertificateFacts) -> dict[str, object]:
    logo, plate = _logo(facts.logo, facts.logo_type)
    return {
        "certificate_id": str(facts.certificate_id),
        "accent": readable(facts.colour),
        "seal": ornaments.seal(),
        "logo": logo,
        "plate": plate,
        "initials": typesetting.initials(facts.organization_name),
        "basis": BASIS[facts.source],
        "issued": _date(facts.issued_at),
        "expires": _date(facts.expires_at) if facts.expires_at else "No expiry",
        "timestamp": facts.issued_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "verification_url": facts.verification_url,
        "qr_code": _qr_code(facts.verification_url),
    }


def _date(moment: datetime) -> str:
    with translation.override("en"):
        return dateformat.format(moment.astimezone(UTC), "j F Y")


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
