"""What is true of a PDF that somebody was shown."""

import json
import zlib
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject

from certificates import confinement
from certificates.models import Certificate
from certificates.rendering import pdf_of
from certificates.revoking import revoke
from tests.api.client import Answer, Api
from tests.certificates.verifying import PATH, PDF, failed
from tests.factories import ACTOR, Cast, complete


def without_attachment(certificate: Certificate) -> PdfWriter:
    """The PDF, ready to be altered, without its credential."""
    writer = PdfWriter(clone_from=BytesIO(pdf_of(certificate.id)[0]))
    root = writer.root_object
    del root["/AF"]
    del root["/Names"]["/EmbeddedFiles"]  # type: ignore[attr-defined]
    return writer


def with_attachments(certificate: Certificate, *attachments: bytes) -> bytes:
    """The PDF with other files attached: not byte for byte what we made any more."""
    writer = without_attachment(certificate)
    for number, content in enumerate(attachments):
        writer.add_attachment(f"credential{number or ''}.json", content)
    output = BytesIO()
    writer.write(output)
    return output.getvalue()


def test_a_pdf_as_we_made_it(api: Api, certificate: Certificate) -> None:
    content, _ = pdf_of(certificate.id)
    answer = api.post(PATH, content, **PDF)
    assert (answer.body["genuine"], answer.body["status"], failed(answer)) == (True, "valid", [])
    assert [check["check"] for check in answer.body["checks"]] == ["file", "signature", "key", "status"]
    assert answer.body["signed"]["learnerName"] == "Maya Lindqvist"
    revoke(certificate.id, "x", actor=ACTOR)
    answer = api.post(PATH, content, **PDF)
    assert (answer.body["genuine"], answer.body["status"], failed(answer)) == (True, "revoked", ["status"])


def test_one_byte_more_is_another_file(api: Api, certificate: Certificate) -> None:
    answer = api.post(PATH, pdf_of(certificate.id)[0] + b"\n", **PDF)
    assert not answer.body["genuine"]
    assert failed(answer)[0] == "file"


def test_a_white_box_over_the_name(api: Api, certificate: Certificate) -> None:
    """It changes neither the text nor the attachment; the page says what it likes."""
    writer = PdfWriter(clone_from=BytesIO(pdf_of(certificate.id)[0]))
    box = DecodedStreamObject()
    box.set_data(b"1 1 1 rg 100 200 400 100 re f")
    page = writer.pages[0]
    page[NameObject("/Contents")] = writer._add_object(box)
    output = BytesIO()
    writer.write(output)
    answer = api.post(PATH, output.getvalue(), **PDF)
    assert (answer.body["genuine"], answer.body["credentialGenuine"]) == (False, True)
    assert failed(answer) == ["file"]
    assert answer.body["signed"]["learnerName"] == "Maya Lindqvist"
    assert "only what is written below counts" in answer.body["message"]


def test_the_credential_of_another_is_what_is_shown(api: Api, cast: Cast, certificate: Certificate) -> None:
    [other] = complete(cast.colleague, cast.track).certificates
    answer = api.post(PATH, with_attachments(certificate, other.credential.document.encode()), **PDF)
    assert answer.body["signed"]["learnerName"] == "Jonas Weber"
    assert not answer.body["genuine"]


def test_what_is_attached_may_be_forged(api: Api, certificate: Certificate, document: dict[str, Any]) -> None:
    document["credentialSubject"]["name"] = "Eve Evil"
    answer = api.post(PATH, with_attachments(certificate, json.dumps(document).encode()), **PDF)
    assert (answer.body["genuine"], answer.body["credentialGenuine"]) == (False, False)
    assert failed(answer) == ["file", "content"]


def attached(answer: Answer) -> str:
    [check] = [check for check in answer.body["checks"] if check["check"] == "attachment"]
    assert not check["passed"]
    return str(check["message"])


@pytest.mark.slow
def test_attachments_that_settle_nothing(api: Api, certificate: Certificate) -> None:
    genuine = certificate.credential.document.encode()
    assert "No credential" in attached(api.post(PATH, with_attachments(certificate) + b"\n", **PDF))
    assert "More than one" in attached(api.post(PATH, with_attachments(certificate, genuine, genuine), **PDF))
    assert "complicated" in attached(api.post(PATH, with_attachments(certificate, b" " * 70_000), **PDF))


def test_an_encrypted_one(api: Api, certificate: Certificate) -> None:
    writer = PdfWriter(clone_from=BytesIO(pdf_of(certificate.id)[0]))
    writer.encrypt("secret", algorithm="RC4-128")
    output = BytesIO()
    writer.write(output)
    assert "encrypted" in attached(api.post(PATH, output.getvalue(), **PDF))


END = b"\nstartxref\n9\n%%EOF"


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"%PDF-1.7\n",
        b"%PDF-1.7\ntrailer <</Root 1 0 R>>" + END,
        b"%PDF-1.7\n" + b"".join(b"%d 0 obj<<>>endobj\n" % n for n in range(40_000)) + b"trailer<</Root 1 0 R>>" + END,
        b"%PDF-1.7\n1 0 obj" + b"[" * 500_000 + END,
        b"%PDF-1.7\n1 0 obj" + b"<</A" * 200_000 + END,
    ],
    ids=["nothing", "head", "no xref", "many objects", "brackets", "dictionaries"],
)
def test_broken_files(api: Api, content: bytes) -> None:
    answer = api.post(PATH, content, **PDF)
    assert (answer.status, answer.body["genuine"]) == (200, False)
    assert attached(answer)


def test_names_that_name_themselves(api: Api, certificate: Certificate) -> None:
    writer = PdfWriter(clone_from=BytesIO(pdf_of(certificate.id)[0]))
    names = DictionaryObject()
    reference = writer._add_object(names)
    names[NameObject("/Kids")] = ArrayObject([reference] * 50)
    writer.root_object[NameObject("/Names")] = DictionaryObject({NameObject("/EmbeddedFiles"): reference})
    output = BytesIO()
    writer.write(output)
    assert attached(api.post(PATH, output.getvalue(), **PDF))


@pytest.mark.slow
def test_a_bomb(api: Api, certificate: Certificate) -> None:
    """Small, and large once it is inflated, twice over."""
    writer = without_attachment(certificate)
    writer.add_attachment("credential.json", b"0")
    stream = next(
        found
        for found in (writer.get_object(number + 1) for number in range(len(writer._objects)))
        if isinstance(found, DecodedStreamObject) and found.get_data() == b"0"
    )
    bomb = zlib.compress(zlib.compress(b"\0" * 400_000_000, 9), 9)
    stream._data = bomb
    stream[NameObject("/Filter")] = ArrayObject([NameObject("/FlateDecode"), NameObject("/FlateDecode")])
    output = BytesIO()
    writer.write(output)
    assert len(output.getvalue()) < 1024 * 1024
    assert attached(api.post(PATH, output.getvalue(), **PDF))


def test_a_pdf_is_read_as_it_is(certificate: Certificate) -> None:
    content = with_attachments(certificate, b"{}")
    assert list(PdfReader(BytesIO(content)).attachments) == ["credential.json"]
    assert confinement.run("attachment", content) == {"attachment": "e30="}
