"""The page as a file: what other programs say of it, and what is in it."""

import hashlib
import socket
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pydyf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from certificates import archival
from certificates.models import Language, Layout, Source
from certificates.pdf import SignatoryFacts, render
from tests.certificates.pages import ADDRESS, CREDENTIAL, failures, make_facts, make_full_facts, make_picture, run
from tests.processes import run_python

EVERY_PAGE = [(layout, language) for layout in Layout for language in Language]
NAMES = [
    "Nguyễn Thị Hương",
    "יעל כהן",
    "ليلى حدّاد",
    "田中 陽子",
    "김민준",
    "प्रिया शर्मा",
    "สมชาย ใจดี",
    "Ελένη",
    "x" * 200,
]


def structure(content: bytes) -> list[dict[str, Any]]:
    """The structure elements in reading order."""
    catalog: Any = PdfReader(BytesIO(content)).trailer["/Root"]
    found = []

    def walk(element: Any) -> None:
        kids = element.get("/K", [])
        for kid in kids if isinstance(kids, list) else [kids]:
            kid = kid.get_object()
            if isinstance(kid, dict) and kid.get("/Type") == "/StructElem":
                found.append(kid)
                walk(kid)

    walk(catalog["/StructTreeRoot"])
    return found


# -- both standards --


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "language"), EVERY_PAGE)
def test_it_is_archival_and_accessible(layout: Layout, language: Language) -> None:
    assert failures(render(make_full_facts(layout, language))) == []


@pytest.mark.slow
@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("name", NAMES)
def test_whatever_the_name(layout: Layout, name: str) -> None:
    assert failures(render(make_facts(layout=layout, learner_name=name))) == []


LETTERS = st.characters(exclude_categories=["Cs"])
SCRIPTS = [
    "latin",
    "ΑΩ",
    "АЯ",
    "את",
    "اي",
    "कह",
    "กฮ",
    "가힣",
    "ぁん",
    "一龥",
    "\ue000\uf8ff",
    "\U0001f600\U0001f64f",
    "\u0300\u036f",
]
WRITTEN = st.sampled_from(SCRIPTS).flatmap(
    lambda ends: st.text(
        st.characters(min_codepoint=min(map(ord, ends)), max_codepoint=max(map(ord, ends))), min_size=1
    )
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    name=st.one_of(WRITTEN, st.text(LETTERS, min_size=1, max_size=255)),
    title=st.one_of(WRITTEN, st.text(LETTERS, min_size=1, max_size=255)),
    layout=st.sampled_from(Layout),
    language=st.sampled_from(Language),
)
def test_any_characters_make_one_page_of_both_standards(
    name: str, title: str, layout: Layout, language: Language
) -> None:
    facts = make_facts(learner_name=name, track_title=title, statement=title, layout=layout, language=language)
    content = render(facts)
    assert failures(content) == []
    assert b"\r\nendstream" not in content


def test_what_no_font_has_is_shown_as_unknown() -> None:
    content = render(make_facts(learner_name="Ada \U000f0000 \U0003fffd Lovelace"))
    assert "Ada \ufffd \ufffd Lovelace" in PdfReader(BytesIO(content)).pages[0].extract_text()


def compressed(text: str) -> bytes:
    return zlib.compress(text.encode(), 9)


def test_no_stream_ends_as_a_line_may() -> None:
    """One of which the compressed form would."""
    text = next(text for text in ("x" * size for size in range(10_000)) if compressed(text).endswith(b"\r"))
    pdf = pydyf.PDF()
    pdf.add_page(
        pydyf.Dictionary({"Type": "/Page", "Parent": pdf.pages.reference, "MediaBox": pydyf.Array([0, 0, 9, 9])})
    )
    stream = pydyf.Stream([text.encode()])
    pdf.add_object(stream)
    archival._pack(pdf)
    output = BytesIO()
    pdf.write(output)
    assert b"\r\nendstream" not in output.getvalue()
    read: Any = PdfReader(output).get_object(stream.number)
    assert read.get_data() == text.encode()


@pytest.mark.slow
@pytest.mark.parametrize("layout", Layout)
def test_qpdf_finds_nothing_wrong(layout: Layout, tmp_path: Path) -> None:
    file = tmp_path / "page.pdf"
    file.write_bytes(render(make_full_facts(layout, Language.ARABIC)))
    assert "No syntax or stream encoding errors found" in run("qpdf", "--check", file)


def test_one_packet_of_metadata_says_both() -> None:
    """In clear, so that it is found by reading the file as text."""
    content = render(make_facts())
    assert content.count(b"<x:xmpmeta") == content.count(b"</rdf:RDF>") == 1
    packet = content[content.index(b"<x:xmpmeta") : content.index(b"</x:xmpmeta>")].decode()
    assert 'pdfaid:part="3"' in packet
    assert 'pdfaid:conformance="A"' in packet
    assert 'pdfuaid:part="1"' in packet
    assert "Certificate: Fire Safety Fundamentals – Maya Lindqvist" in packet


# -- the credential --


def test_the_credential_is_attached_byte_for_byte(tmp_path: Path) -> None:
    file = tmp_path / "page.pdf"
    file.write_bytes(render(make_facts()))
    assert "credential.json" in run("pdfdetach", "-list", file)
    run("pdfdetach", "-save", "1", "-o", tmp_path / "out.json", file)
    assert (tmp_path / "out.json").read_bytes() == CREDENTIAL.encode()


def test_the_attachment_is_the_source_of_the_page() -> None:
    catalog: Any = PdfReader(BytesIO(render(make_facts()))).trailer["/Root"]
    [associated] = catalog["/AF"]
    file = associated.get_object()
    assert (file["/AFRelationship"], file["/UF"]) == ("/Source", "credential.json")
    stored = file["/EF"]["/F"]
    assert stored["/Subtype"] == "/application/vc"
    assert stored["/Params"]["/Size"] == len(CREDENTIAL.encode())
    assert stored.get_data() == CREDENTIAL.encode()


# -- reading it --


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "language"), [(layout, Language.ENGLISH) for layout in Layout])
def test_the_code_leads_to_the_printed_address(layout: Layout, language: Language, tmp_path: Path) -> None:
    file = tmp_path / "page.pdf"
    file.write_bytes(render(make_full_facts(layout, language)))
    run("pdftoppm", "-r", "150", "-png", "-singlefile", file, tmp_path / "page")
    assert run("zbarimg", "--quiet", "--raw", tmp_path / "page.png").strip() == ADDRESS


LETTER = [
    "Nordlys Energy",
    "Certificate of completion",
    "This is to certify that",
    "Maya Lindqvist",
    "has completed",
    "Fire Safety Fundamentals",
    "Congratulations from all of us.",
    "Based on answers",
    "Tomás Ferreira",
    "Head of Safety",
    "Amina Yusuf",
    "4 November 2026",
    "4 November 2028",
    "5d0a1c1e-9f0b-4f6e-8a63-2f9d1f6d2b10",
    ADDRESS,
]


@pytest.mark.parametrize("layout", Layout)
def test_it_is_read_like_a_letter(layout: Layout, tmp_path: Path) -> None:
    """As it is written in the file, which is also the order of its tags."""
    file = tmp_path / "page.pdf"
    file.write_bytes(render(make_full_facts(layout, Language.ENGLISH)))
    text = run("pdftotext", "-raw", file, "-").replace("CERTIFICATE OF COMPLETION", "Certificate of completion")
    at = [text.find(words) for words in LETTER]
    assert -1 not in at
    assert at == sorted(at)


def test_pictures_say_what_they_show() -> None:
    content = render(make_full_facts(Layout.CLASSIC, Language.ENGLISH))
    figures = [element["/Alt"] for element in structure(content) if element["/S"] == "/Figure"]
    assert figures == [
        "Logo of Nordlys Energy",
        "Signature of Tomás Ferreira",
        "Signature of 田中 陽子",
        "QR code of the address at which this certificate can be checked",
    ]


def test_it_tells_which_language_is_spoken() -> None:
    facts = make_facts(language=Language.GERMAN, learner_name="ليلى حدّاد", track_title="Fire Safety")
    content = render(facts)
    catalog: Any = PdfReader(BytesIO(content)).trailer["/Root"]
    assert catalog["/Lang"] == "de"
    assert catalog["/ViewerPreferences"]["/DisplayDocTitle"] is not False
    assert catalog["/MarkInfo"]["/Marked"]
    spoken = {element["/Lang"]: element.get("/ActualText") for element in structure(content) if "/Lang" in element}
    assert spoken == {"ar": "ليلى حدّاد", "en": None}


def test_what_is_drawn_under_the_words_is_no_part_of_them() -> None:
    reader = PdfReader(BytesIO(render(make_facts())))
    contents: Any = reader.pages[0]["/Contents"]
    drawn = contents[0].get_object().get_data()
    assert drawn.startswith(b"/Artifact BMC")
    assert drawn.rstrip().endswith(b"EMC")


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("source", Source)
def test_every_sentence_has_its_letters(language: Language, source: Source) -> None:
    """None is set in the glyph that stands for a missing one."""
    content = render(make_facts(language=language, source=source))
    assert "\ufffd" not in PdfReader(BytesIO(content)).pages[0].extract_text()


def test_dates_are_written_as_in_the_language() -> None:
    dates = {
        Language.GERMAN: "4. November 2026",
        Language.FRENCH: "4 novembre 2026",
        Language.SPANISH: "4 de noviembre de 2026",
        Language.JAPANESE: "2026年11月4日",
    }
    for language, date in dates.items():
        assert date in PdfReader(BytesIO(render(make_facts(language=language)))).pages[0].extract_text()


# -- the same bytes, from the facts alone --

ANOTHER_PROCESS = """
import hashlib
from certificates.models import Language, Layout
from certificates.pdf import render
from tests.certificates.pages import make_full_facts
print(hashlib.sha256(render(make_full_facts(Layout.CLASSIC, Language.ARABIC))).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_whatever_was_rendered_before_the_bytes_are_the_same() -> None:
    for layout in Layout:
        render(make_full_facts(layout, Language.JAPANESE))
    content = render(make_full_facts(Layout.CLASSIC, Language.ARABIC))
    other = run_python("import sys\nsys.path.insert(0, os.getcwd())\n" + ANOTHER_PROCESS)
    assert other.stdout.strip() == hashlib.sha256(content).hexdigest(), other.stderr


def test_nothing_is_fetched(tmp_path: Path) -> None:
    """Whatever names, texts, colours and pictures try."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(make_picture())
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.png"
        evil = (
            f'</p><img src="{url}"><img src="file://{secret}"><style>@import url({url})</style>'
            f'<link rel="attachment" href="file://{secret}"><div style="background: url({url})">'
        )
        svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>'.encode()
        content = render(
            make_facts(
                learner_name=evil,
                track_title=evil,
                organization_name=evil,
                statement=evil,
                track_language=f'en"><img src="{url}">',
                colour=f"red; background: url({url})",
                ink=f"url({url})",
                logo=svg,
                logo_type="image/svg+xml",
                signatories=(SignatoryFacts(name=evil, title=evil, signature=svg),),
            )
        )
        with pytest.raises(BlockingIOError):
            server.accept()
    reader = PdfReader(BytesIO(content))
    catalog: Any = reader.trailer["/Root"]
    assert len(catalog["/AF"]) == 1
    # The code alone.
    assert len(reader.pages[0].images) == 1
    assert "<img" in reader.pages[0].extract_text().replace("\n", "")
