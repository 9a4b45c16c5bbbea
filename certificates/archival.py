"""A page as a file that lasts and that everybody can read: PDF/A-3a (ISO 19005-3) and PDF/UA-1 (ISO 14289-1) in one.

WeasyPrint writes either; what is here adds to its PDF/A what the other one asks for.
"""

import zlib
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any

import pydyf
import weasyprint.pdf
from weasyprint import CSS, HTML, Attachment, Document
from weasyprint.css import ColorProfile
from weasyprint.formatting_structure import boxes
from weasyprint.layout.absolute import AbsolutePlaceholder
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher

VARIANT = "pdf/a-3a"
# What its colours mean; not "srgb", for which WeasyPrint opens a file for each page.
INTENT = "sRGB"
CREDENTIAL = "credential.json"
MEDIA_TYPE = "application/vc"
# The identification of PDF/UA, and its description, without which PDF/A allows no property that it does not know.
UNIVERSAL_ACCESS = b"""
<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/" pdfuaid:part="1"/>
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
  xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:schema>PDF/UA Universal Accessibility Schema</pdfaSchema:schema>
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
<pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType>
<pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>Indicates, which part of ISO 14289 standard is followed</pdfaProperty:description>
</rdf:li></rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas>
</rdf:Description>
"""
# What a glyph stands for that stands for nothing by itself, as some of Devanagari do: ZERO WIDTH SPACE.
NOTHING = b"<200b>"


def attach(credential: str, issued_at: datetime, description: str, fetcher: URLFetcher) -> Attachment:
    """The credential, byte for byte as it is given away; the page was made from it, so it is its source."""
    moment = issued_at.astimezone(UTC)
    return Attachment(
        url=f"data:{MEDIA_TYPE};base64,{b64encode(credential.encode()).decode()}",
        url_fetcher=fetcher,
        name=CREDENTIAL,
        description=description,
        created=moment,
        modified=moment,
        relationship="Source",
    )


def lay_out(html: HTML, fonts: FontConfiguration, stylesheet: CSS) -> Document:
    return html.render(
        font_config=fonts,
        color_profiles=dict(_color_profiles()),
        stylesheets=[stylesheet],
        pdf_variant=VARIANT,
        output_intent=INTENT,
    )


def write(document: Document, ornament: bytes, attachment: Attachment | None, identifier: bytes) -> bytes:
    """The file; ``ornament`` are operators that draw under the words. Dates come from the document's metadata."""

    def finish(_document: Document, pdf: pydyf.PDF) -> None:
        _draw_beneath(ornament, pdf)
        _tell_languages(document, pdf)
        _map_every_glyph(pdf)
        _associate_once(pdf)
        _identify(document, pdf)
        _pack(pdf)

    content: bytes = document.write_pdf(
        finisher=finish,
        pdf_variant=VARIANT,
        output_intent=INTENT,
        pdf_identifier=identifier,
        attachments=[attachment] if attachment else None,
        # `_pack` does it.
        uncompressed_pdf=True,
    )
    return content


class Profile(ColorProfile):  # type: ignore[misc]  # the library has no types
    """As it is in its file: what the library makes of it depends on whether it was read before."""

    def __init__(self, content: bytes, name: str, channels: tuple[list[str], ...]) -> None:
        super().__init__(BytesIO(content), name, "relative-colorimetric", channels)
        self._content = content

    @property
    def content(self) -> bytes:
        return self._content


@cache
def _color_profiles() -> dict[str, ColorProfile]:
    content = files(weasyprint.pdf).joinpath("sRGB2014.icc").read_bytes()
    return {INTENT: Profile(content, "sRGB2014.icc", (["r"], ["g"], ["b"]))}


def unprintable(document: Document) -> dict[int, str]:
    """The characters of a written document that no font has, for `str.translate`; each becomes U+FFFD."""
    return {code: "\ufffd" for font in document.fonts.values() for code in font.missing}


def _pack(pdf: pydyf.PDF) -> None:
    """Compresses what may be. No stream ends with a carriage return, which readers take for a part of the line's end.

    One in 256 would; hexadecimal digits around it make it longer, and end it otherwise.
    """
    for item in pdf.objects:
        if not isinstance(item, pydyf.Stream) or item.extra.get("Subtype") == "/XML":
            continue
        content = b"\n".join(part if isinstance(part, bytes) else pydyf._to_bytes(part) for part in item.stream)
        if "Filter" not in item.extra:
            content = zlib.compress(content, 9)
            item.extra["Filter"] = "/FlateDecode"
        if content.endswith(b"\r"):
            content = content.hex().encode() + b">"
            item.extra["Filter"] = f"[/ASCIIHexDecode {item.extra['Filter']}]"
            if "DecodeParms" in item.extra:
                item.extra["DecodeParms"] = pydyf.Array(["null", item.extra["DecodeParms"]])
        item.stream = [content]


def _draw_beneath(ornament: bytes, pdf: pydyf.PDF) -> None:
    page = next(item for item in pdf.objects if isinstance(item, pydyf.Dictionary) and item.get("Type") == "/Page")
    stream = pydyf.Stream([ornament])
    pdf.add_object(stream)
    page["Contents"] = pydyf.Array([stream.reference, page["Contents"]])


def _tell_languages(document: Document, pdf: pydyf.PDF) -> None:
    """Marks what is in another language than the page, and says in plain text what a script's shapes may hide."""
    objects = {item.reference: item for item in pdf.objects}
    tagged = _leaves(objects[pdf.catalog["StructTreeRoot"]], objects)
    for box, element in zip(_contents(document.pages[0]._page_box), tagged, strict=True):
        if not isinstance(box, boxes.TextBox) or element["S"] == "/Link":
            continue
        if (language := box.style["lang"]) and language != document.metadata.lang:
            element["Lang"] = pydyf.String(language)
        # Beyond Latin letters a glyph may be a part of a letter, or many letters.
        if any(ord(char) > 0x24F for char in box.text):
            element["ActualText"] = pydyf.String(box.text)


def _leaves(element: Any, objects: dict[bytes, Any]) -> Iterator[Any]:
    """The structure elements that have content of the page, once for each piece, in reading order."""
    for kid in element.get("K", ()):
        if isinstance(kid, int):
            yield element
        else:
            yield from _leaves(objects[kid], objects)


def _contents(box: Any) -> Iterator[Any]:
    """The boxes of that content: in the order of `weasyprint.pdf.tags`, which made an element of each."""
    if isinstance(box, AbsolutePlaceholder):
        box = box._box
    if isinstance(box, boxes.TextBox | boxes.ReplacedBox):
        yield box
    for child in getattr(box, "children", ()):
        yield from _contents(child)


def _map_every_glyph(pdf: pydyf.PDF) -> None:
    """A glyph without a text of its own gets one: a mapping to nothing is malformed."""
    for item in pdf.objects:
        if isinstance(item, pydyf.Stream) and item.stream[:1] == [b"/CIDInit /ProcSet findresource begin"]:
            item.stream = [line[:-2] + NOTHING if line.endswith(b" <>") else line for line in item.stream]


def _associate_once(pdf: pydyf.PDF) -> None:
    """WeasyPrint names a file that is associated with the page twice."""
    if "AF" in pdf.catalog:
        pdf.catalog["AF"] = pydyf.Array(dict.fromkeys(pdf.catalog["AF"]))


def _identify(document: Document, pdf: pydyf.PDF) -> None:
    """One packet that says both; `_pack` leaves it as it is, so that it can be found by reading the file as text."""
    own = document.metadata.generate_rdf_metadata("a", 3, "A")
    head, end, tail = own.rpartition(b"</rdf:RDF>")
    metadata = next(item for item in pdf.objects if item.reference == pdf.catalog["Metadata"])
    metadata.stream = [
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">',
        head + UNIVERSAL_ACCESS + end + tail,
        b'</x:xmpmeta>\n<?xpacket end="w"?>',
    ]
