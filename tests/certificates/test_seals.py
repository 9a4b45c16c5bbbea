"""The seal in the file: what other programs say of it."""

import os
import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext
from pypdf import PdfReader, PdfWriter

from cerply import clock
from certificates import pades
from certificates.models import Language, Layout
from certificates.pdf import render
from certificates.sealing import LocalSealer
from tests.certificates.pages import CREDENTIAL, failures, make_facts, make_full_facts, run
from tests.certificates.sealers import Authority, make_key

AUTHORITY = Authority()
SEALER = LocalSealer(AUTHORITY.make_seal())


@pytest.fixture(scope="module")
def page() -> bytes:
    return render(make_facts())


@pytest.fixture(scope="module")
def sealed(page: bytes) -> bytes:
    return pades.sign(page, SEALER, clock.now())


def look(content: bytes, *, trusting: Authority = AUTHORITY) -> PdfSignatureStatus:
    root = asn1.Certificate.load(trusting.certificate.public_bytes(Encoding.DER))
    [signature] = PdfFileReader(BytesIO(content)).embedded_signatures
    return validate_pdf_signature(signature, ValidationContext(trust_roots=[root]))


def pdfsig(file: Path) -> str:
    """It exits with 1 where it finds something wrong."""
    if shutil.which("pdfsig") is None and os.environ.get("CHECKERS") != "required":
        pytest.skip("pdfsig is missing: see scripts/setup_checkers.sh")
    return subprocess.run(["pdfsig", file], check=False, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.slow
@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("language", [Language.ENGLISH, Language.ARABIC, Language.JAPANESE])
def test_sealed_it_is_still_archival_and_accessible(layout: Layout, language: Language) -> None:
    content = pades.sign(render(make_full_facts(layout, language)), SEALER, clock.now())
    assert failures(content) == []
    assert look(content).bottom_line


def test_the_seal_comes_after_the_page_and_says_pades(page: bytes, sealed: bytes) -> None:
    assert sealed.startswith(page)
    assert sealed.count(b"<x:xmpmeta") == 1
    catalog: Any = PdfReader(BytesIO(sealed)).trailer["/Root"]
    assert "/Version" not in catalog
    [widget] = catalog["/AcroForm"]["/Fields"]
    assert (widget["/T"], widget["/TU"], "/AP" in widget) == ("Seal", "Seal of the issuer", False)
    signature = widget["/V"]
    assert (signature["/SubFilter"], signature["/Reason"]) == ("/ETSI.CAdES.detached", pades.REASON)
    assert "/Location" not in signature
    [signed] = PdfFileReader(BytesIO(sealed)).embedded_signatures
    attributes = {attribute["type"].native for attribute in signed.signer_info["signed_attrs"]}
    # Baseline B-B: the certificate is named, the time stands in the file and not here.
    assert attributes == {"content_type", "message_digest", "signing_certificate_v2"}


def test_it_is_valid_under_its_authority_and_covers_all_of_the_file(sealed: bytes) -> None:
    status = look(sealed)
    assert status.bottom_line
    assert (status.intact, status.valid, status.trusted, status.docmdp_ok) == (True, True, True, True)
    assert status.coverage is SignatureCoverageLevel.ENTIRE_FILE
    assert status.md_algorithm == "sha256"


def test_under_another_authority_it_is_not_trusted(sealed: bytes) -> None:
    status = look(sealed, trusting=Authority())
    assert (status.intact, status.trusted, status.bottom_line) == (True, False, False)


def paint_over(content: bytes) -> bytes:
    """As an editor saves it: what was signed stays, and a white box comes after it."""
    writer = PdfWriter(BytesIO(content), incremental=True)
    writer.pages[0].merge_page(PdfReader(BytesIO(content)).pages[0])
    output = BytesIO()
    writer.write(output)
    assert output.getvalue().startswith(content)
    return output.getvalue()


def change_a_byte(content: bytes) -> bytes:
    at = content.index(b"Fire Safety Fundamentals")
    return content[:at] + b"W" + content[at + 1 :]


def change_the_seal(content: bytes) -> bytes:
    """One bit of the signature itself: what comes before the zeros that fill its room."""
    end = len(content[: content.index(b"0" * 500 + b">")].rstrip(b"0"))
    return content[: end - 1] + (b"1" if content[end - 1 : end] != b"1" else b"2") + content[end:]


@pytest.mark.parametrize(
    ("alter", "says"),
    [
        (paint_over, "Not total document signed"),
        (change_a_byte, "Signature Validation: Digest Mismatch."),
        (change_the_seal, "Signature Validation: Signature is Invalid."),
    ],
)
def test_altered_it_is_valid_no_more(alter: Any, says: str, sealed: bytes, tmp_path: Path) -> None:
    altered = alter(sealed)
    assert altered != sealed
    assert not look(altered).bottom_line
    file = tmp_path / "altered.pdf"
    file.write_bytes(altered)
    assert says in pdfsig(file)


def test_what_poppler_says(sealed: bytes, tmp_path: Path) -> None:
    file = tmp_path / "sealed.pdf"
    file.write_bytes(sealed)
    said = pdfsig(file)
    assert "Signature Type: ETSI.CAdES.detached" in said
    assert "Signer Certificate Common Name: Cerply" in said
    assert "Total document signed" in said
    assert "Signature is Valid." in said


def test_qpdf_finds_nothing_wrong_and_the_credential_is_the_same(sealed: bytes, tmp_path: Path) -> None:
    file = tmp_path / "sealed.pdf"
    file.write_bytes(sealed)
    assert "No syntax or stream encoding errors found" in run("qpdf", "--check", file)
    run("pdfdetach", "-save", "1", "-o", tmp_path / "out.json", file)
    assert (tmp_path / "out.json").read_bytes() == CREDENTIAL.encode()


@pytest.mark.slow
def test_nothing_of_it_is_to_be_seen(page: bytes, sealed: bytes, tmp_path: Path) -> None:
    for name, content in (("page", page), ("sealed", sealed)):
        (tmp_path / f"{name}.pdf").write_bytes(content)
        run("pdftoppm", "-r", "60", "-png", "-singlefile", tmp_path / f"{name}.pdf", tmp_path / name)
    assert (tmp_path / "sealed.png").read_bytes() == (tmp_path / "page.png").read_bytes()


def test_the_key_may_be_elsewhere(page: bytes) -> None:
    """As with an HSM: what seals has the certificates, and asks for each signature."""
    key = make_key()

    class Elsewhere:
        certificates: tuple[x509.Certificate, ...] = (AUTHORITY.certify(key),)

        def sign(self, message: bytes) -> bytes:
            return key.sign(message, ec.ECDSA(hashes.SHA256()))

    assert look(pades.sign(page, Elsewhere(), clock.now())).bottom_line
