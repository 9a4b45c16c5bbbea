"""How certificates look: designs, languages, pictures, and the preview."""

import hashlib
import json
from io import BytesIO
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image
from pypdf import PdfReader

from audit.models import AuditEvent
from cerply.accounts import pictures
from cerply.accounts.models import Organization
from certificates.designs import Design, Signatory, change_design, check_text, fill
from certificates.models import Certificate, CertificateDesign, Language, Layout
from certificates.rendering import pdf_of
from certificates.wording import language_of
from tests.certificates.pages import failures, make_picture
from tests.factories import ACTOR, Cast, complete, make_organization, make_staff, make_track, make_user
from tests.threads import at_once

ADD = "/admin/certificates/certificatedesign/add/"


def upload(content: bytes, name: str = "logo.png", media_type: str = "image/png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, media_type)


def text_of(certificate: Certificate) -> str:
    return PdfReader(BytesIO(pdf_of(certificate.id)[0])).pages[0].extract_text()


@pytest.fixture
def console(cast: Cast) -> Client:
    client = Client()
    client.force_login(make_staff(name="Sam Staff", email="sam@cerply.example"))
    return client


# -- sentences with placeholders --


def test_placeholders_are_filled_in_once() -> None:
    values = {"learner": "{track} {0.__class__}", "track": "Fire", "organization": "Nordlys", "date": "today"}
    assert fill("{learner}: {track}", values) == "{track} {0.__class__}: Fire"


@pytest.mark.parametrize(
    "text", ["{name}", "{{learner}}", "{learner", "learner}", "{learner.password}", "{}", "{% if %}"]
)
def test_what_is_no_placeholder_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        check_text(text)


def test_other_text_may_say_anything() -> None:
    check_text("100 % – <b>{learner}</b> $& %(learner)s ${track}")


# -- designs --


def test_a_certificate_keeps_the_design_that_it_was_issued_with(cast: Cast, media: Path) -> None:
    signatory = Signatory(name="Amina Yusuf", title="Managing Director")
    texts = {Language.ENGLISH: "Well done, {learner}: {track}, {organization}, {date}."}
    design = Design(layout=Layout.LETTER, colour="#8A1538", signatories=(signatory,), texts=texts)
    first = change_design(cast.organization.id, design, actor=ACTOR)
    [certificate] = complete(cast.learner, cast.track).certificates
    assert (certificate.design, certificate.colour) == (first, "#8a1538")
    before = pdf_of(certificate.id)
    said = text_of(certificate)
    day = f"{certificate.issued_at:%-d %B %Y}"
    assert f"Well done, Maya Lindqvist: Fire Safety Fundamentals, Nordlys Energy, {day}." in said.replace("\n", " ")
    assert "Amina Yusuf" in said
    second = change_design(cast.organization.id, Design(layout=Layout.MODERN), actor=ACTOR)
    assert second.number == 2
    for file in media.rglob("*.pdf"):
        file.unlink()
    # Made again, it is the same.
    assert pdf_of(certificate.id) == before
    [later] = complete(cast.colleague, cast.track).certificates
    assert later.design == second


def test_without_a_design_it_has_the_organizations_colour_and_logo(cast: Cast) -> None:
    logo = pictures.keep(pictures.remade(upload(make_picture())), pictures.LOGOS)
    Organization.objects.filter(id=cast.organization.id).update(logo=logo)
    [certificate] = complete(cast.learner, cast.track).certificates
    assert (certificate.design, certificate.colour, certificate.logo) == (None, "#1f4e79", logo)
    assert len(PdfReader(BytesIO(pdf_of(certificate.id)[0])).pages[0].images) >= 2


def test_another_organizations_design_is_not_taken(cast: Cast) -> None:
    change_design(cast.outside.id, Design(layout=Layout.LETTER), actor=ACTOR)
    [certificate] = complete(cast.learner, cast.track).certificates
    assert certificate.design is None


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_who_save_at_once_get_versions_after_each_other() -> None:
    organization = make_organization()
    at_once([lambda: change_design(organization.id, Design(), actor=ACTOR)] * 6)
    assert sorted(CertificateDesign.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "design",
    [
        Design(colour="red"),
        Design(ink="url(x)"),
        Design(signatories=(Signatory(name="A"),) * 4),
        Design(texts={Language.GERMAN: "{name}"}),
        Design(texts={Language.GERMAN: "x" * 301}),
    ],
)
def test_what_cannot_be_printed_is_not_saved(cast: Cast, design: Design) -> None:
    with pytest.raises(ValidationError):
        change_design(cast.organization.id, design, actor=ACTOR)
    assert not CertificateDesign.objects.exists()


# -- languages --


@pytest.mark.parametrize(
    ("locale", "language"), [("de", "de"), ("ar-EG", "ar"), ("ja_JP", "ja"), ("FR", "fr"), ("pt-BR", "en"), ("", "en")]
)
def test_the_page_is_in_the_learners_language_if_there_is_one(locale: str, language: str) -> None:
    assert language_of(locale) == language


def test_the_language_is_frozen(cast: Cast) -> None:
    learner = make_user(cast.organization, name="田中 陽子", locale="ja")
    [certificate] = complete(learner, cast.track).certificates
    learner.locale = "de"
    learner.save(update_fields=["locale"])
    content = pdf_of(certificate.id)[0]
    assert "修了証書" in text_of(certificate)
    assert failures(content) == []


# -- pictures --


def test_only_the_pixels_of_a_picture_are_kept() -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    jpeg = make_picture("RGB", kind="JPEG", exif=exif.tobytes(), comment=b"secret comment")
    assert b"secret place" in jpeg
    made = pictures.remade(upload(jpeg + b"<script>secret tail</script>", "x.jpg", "image/jpeg"))
    assert b"secret" not in made
    with Image.open(BytesIO(made)) as image:
        assert (image.format, image.size, image.info) == ("PNG", (300, 80), {})


def test_a_picture_is_turned_as_its_camera_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    jpeg = make_picture("RGB", kind="JPEG", exif=exif.tobytes())
    with Image.open(BytesIO(pictures.remade(upload(jpeg)))) as image:
        assert image.size == (80, 300)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        b"%PDF-1.7",
        make_picture("RGB", kind="GIF"),
        make_picture()[: len(make_picture()) // 2],
        b"\0" * (1024 * 1024 + 1),
        make_picture("L", size=(6000, 4000)),
    ],
    ids=["empty", "svg", "pdf", "gif", "cut short", "too large", "too many pixels"],
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(ValidationError):
        pictures.remade(upload(content))


def test_the_same_picture_is_kept_once_under_its_hash(db: None) -> None:
    png = pictures.remade(upload(make_picture()))
    names = {pictures.keep(png, pictures.LOGOS) for _ in range(2)}
    assert names == {f"logos/{hashlib.sha256(png).hexdigest()}.png"}
    assert default_storage.listdir("logos")[1] == [names.pop().removeprefix("logos/")]


def test_the_issuers_logo_is_at_an_address_that_never_changes(console: Client, cast: Cast) -> None:
    path = reverse("admin:accounts_organization_change", args=[cast.organization.id])
    form = {"name": cast.organization.name, "colour": "#1f4e79", "logo": upload(make_picture())}
    assert console.post(path, form).status_code == 302
    [certificate] = complete(cast.learner, cast.track).certificates
    image = json.loads(certificate.credential.document)["issuer"]["image"]
    assert image["type"] == "Image"
    assert image["id"].startswith("http://127.0.0.1:8080/pictures/")
    answer = Client().get(image["id"].removeprefix("http://127.0.0.1:8080"))
    assert hashlib.sha256(answer.content).hexdigest() == image["id"].rpartition("/")[2].removesuffix(".png")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_signatures_and_other_files_have_no_address(db: None, media: Path) -> None:
    name = pictures.keep(pictures.remade(upload(make_picture())), pictures.SIGNATURES)
    (media / "secret.png").write_bytes(b"secret")
    for path in (name.removeprefix("signatures/"), "..%2Fsecret.png", "secret.png", "0" * 64 + ".png"):
        assert Client().get(f"/pictures/{path}").status_code == 404


# -- the admin --


def form_of(cast: Cast, **fields: object) -> dict[str, object]:
    return {"organization": str(cast.organization.id), "layout": "modern", "colour": "#00665e", "ink": "", **fields}


def test_a_design_is_looked_at_before_it_is_saved(console: Client, cast: Cast) -> None:
    assert console.get(ADD).status_code == 200
    fields = {"text_ja": "{learner}様", "name_1": "Amina Yusuf", "signature_1": upload(make_picture())}
    page = console.post(ADD, form_of(cast, **fields, preview="1", preview_language="ja"))
    assert page.headers["Content-Type"] == "application/pdf"
    assert "田中 陽子様" in PdfReader(BytesIO(page.content)).pages[0].extract_text()
    assert failures(page.content) == []
    assert not CertificateDesign.objects.exists()


def test_a_design_is_saved_and_changed_as_a_new_version(console: Client, cast: Cast) -> None:
    fields = {"name_1": "Amina Yusuf", "signature_1": upload(make_picture()), "logo": upload(make_picture("RGB"))}
    assert console.post(ADD, form_of(cast, **fields)).status_code == 302
    [first] = CertificateDesign.objects.all()
    [signatory] = first.signatories
    assert signatory["signature"].startswith("signatures/")
    assert first.logo.startswith("logos/")
    assert AuditEvent.objects.get(type="certificate_design_changed").metadata == {"number": 1, "layout": "modern"}
    change = reverse("admin:certificates_certificatedesign_change", args=[first.id])
    assert console.get(change).status_code == 200
    assert console.get(ADD.replace("add/", "")).status_code == 200
    assert console.post(change, form_of(cast)).status_code == 403
    following = console.get(change.replace("change/", "next/"))
    assert "Amina Yusuf" in console.get(following.headers["Location"]).content.decode()
    # Pictures stay unless others are chosen.
    assert console.post(following.headers["Location"], form_of(cast, name_1="Amina Yusuf")).status_code == 302
    second = CertificateDesign.objects.get(number=2)
    assert (second.signatories[0]["signature"], second.logo) == (signatory["signature"], first.logo)
    # To another organization they do not go.
    form = form_of(cast, name_1="Amina Yusuf") | {"organization": str(cast.outside.id)}
    assert console.post(following.headers["Location"], form).status_code == 302
    third = CertificateDesign.objects.get(organization=cast.outside)
    assert (third.signatories[0]["signature"], third.logo) == ("", "")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"text_de": "{name}"}, "There is no placeholder {name}. Use {date}, {learner}, {organization}, {track}."),
        ({"colour": "teal"}, "Give a colour as #rrggbb."),
        ({"title_2": "Director"}, "Who signs?"),
        ({"logo": upload(b"<svg/>", "logo.svg", "image/svg+xml")}, "neither PNG nor JPEG"),
    ],
)
def test_the_form_says_what_to_do(console: Client, cast: Cast, fields: dict[str, object], says: str) -> None:
    page = console.post(ADD, form_of(cast, **fields))
    assert page.status_code == 200
    assert says in page.content.decode()
    assert not CertificateDesign.objects.exists()


def test_only_staff_come_here(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.admin)
    assert client.get(ADD).status_code == 302
    assert client.post(ADD, form_of(cast)).status_code == 302
    assert not CertificateDesign.objects.exists()


def test_the_title_is_in_the_language_of_its_track(cast: Cast) -> None:
    track = make_track(cast.organization, items=1, title="Brandschutz", language="de")
    [certificate] = complete(cast.learner, track).certificates
    content = pdf_of(certificate.id)[0]
    assert b"/Lang (de)" in content
