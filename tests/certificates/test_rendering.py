"""Rendering: in parallel, and killed in the middle."""

import signal
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from io import BytesIO
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connection
from pypdf import PdfReader
from pytest_django import Settings

from cerply.accounts.models import User
from certificates.keys import compromise
from certificates.models import Certificate, CertificateRendering, Credential
from certificates.proofs import digest_of_text
from certificates.rendering import Altered, NotRendered, issued_as, pdf_of, render_owed
from certificates.signing_again import sign_again
from tests.factories import ACTOR, complete, make_cast, make_organization, make_track, make_user
from tests.processes import run_python

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

KILLED_AFTER_SAVING_THE_FILE = """
from certificates import rendering
save, count = rendering.default_storage.save, 0
def die_at_the_third(name, content):
    global count
    count += 1
    stored = save(name, content)
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return stored
rendering.default_storage.save = die_at_the_third
rendering.render_owed()
"""


def files(settings: Settings) -> list[Path]:
    return list(Path(settings.MEDIA_ROOT).rglob("*.pdf"))


def test_killed_between_the_file_and_the_row_it_is_rendered_again(settings: Settings) -> None:
    cast = make_cast()
    for _ in range(5):
        complete(make_user(cast.organization), cast.track)
    assert run_python(KILLED_AFTER_SAVING_THE_FILE).returncode == -signal.SIGKILL
    assert Certificate.objects.exclude(pdf="").count() == 2
    assert render_owed() == "Rendered 3 certificates."
    names = set(Certificate.objects.values_list("pdf", flat=True))
    assert {str(path.relative_to(settings.MEDIA_ROOT)) for path in files(settings)} == names
    assert len(names) == 5


KILLED_WHILE_WRITING = """
from django.core.files.base import ContentFile
from certificates import rendering
class Dying(ContentFile):
    def chunks(self, chunk_size=None):
        yield self.file.getvalue()[:1000]
        yield b""
        os.kill(os.getpid(), signal.SIGKILL)
rendering.ContentFile = Dying
rendering.pdf_of(Certificate.objects.get().id)
"""


def test_killed_while_it_renders_again_nobody_gets_half_a_file(settings: Settings) -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    whole = pdf_of(certificate.id)
    files(settings)[0].unlink()
    code = "from certificates.models import Certificate\n" + KILLED_WHILE_WRITING
    assert run_python(code).returncode == -signal.SIGKILL
    assert pdf_of(certificate.id) == whole


def test_a_damaged_file_is_made_again(settings: Settings) -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    whole = pdf_of(certificate.id)
    [damaged] = files(settings)
    damaged.write_bytes(whole[0][:1000])
    assert pdf_of(certificate.id) == whole
    [path] = files(settings)
    assert path.read_bytes() == whole[0]


def test_one_that_cannot_be_rendered_keeps_no_other_waiting(caplog: pytest.LogCaptureFixture) -> None:
    cast = make_cast()
    for _ in range(3):
        complete(make_user(cast.organization), cast.track)
    bad = Certificate.objects.owed_a_pdf()[0]
    # Its logo is a folder.
    Certificate.objects.filter(id=bad.id).update(logo=".")
    with pytest.raises(NotRendered, match=str(bad.id)):
        render_owed()
    assert list(Certificate.objects.owed_a_pdf()) == [bad]
    assert str(bad.id) in caplog.text


def test_the_page_says_what_was_signed_whatever_the_row_says(caplog: pytest.LogCaptureFixture) -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    Certificate.objects.update(learner_name="Somebody Else", track_title="Brain Surgery")
    text = PdfReader(BytesIO(pdf_of(certificate.id)[0])).pages[0].extract_text()
    assert "Maya" in text
    assert "Surgery" not in text


def test_what_was_altered_is_not_printed() -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    document = certificate.credential.document.replace("Maya Lindqvist", "Somebody Else")
    Credential.objects.update(document=document, digest=digest_of_text(document))
    with pytest.raises(Altered, match=str(certificate.id)):
        pdf_of(certificate.id)


def test_a_lost_logo_keeps_nobody_from_her_certificate() -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    Certificate.objects.update(logo="logos/lost.png")
    assert pdf_of(certificate.id)[0].startswith(b"%PDF")


def test_many_who_download_first_get_the_same_bytes(settings: Settings) -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    together = Barrier(8)

    def download(_: int) -> bytes:
        try:
            together.wait()
            return pdf_of(certificate.id)[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        contents = set(pool.map(download, range(8)))
    assert len(contents) == 1
    assert len(files(settings)) == 1
    assert CertificateRendering.objects.count() == 1


def test_another_process_makes_the_same_bytes() -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    digest = pdf_of(certificate.id)[1]
    other = run_python(
        "import hashlib\nfrom certificates.models import Certificate\n"
        "from certificates.pdf import render\nfrom certificates.rendering import facts_of\n"
        "print(hashlib.sha256(render(facts_of(Certificate.objects.get()))).hexdigest())"
    )
    assert other.stdout.strip() == digest


NAMES = ["Zoë Müller", "François L’Écuyer", "Łukasz Wójcik", "Nguyễn Thị Hương", "Ελένη Παπαδοπούλου", "Олена Шевченко"]
NAMES += ["田中 陽子", "王小明", "김민준", "ليلى حدّاد", "יעל כהן"]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_keeps_its_glyphs(name: str) -> None:
    """Fonts are embedded, and none of them falls back to the glyph that stands for a missing one."""
    organization = make_organization()
    learner: User = make_user(organization, name=name)
    [certificate] = complete(learner, make_track(organization, items=1)).certificates
    [page] = PdfReader(BytesIO(pdf_of(certificate.id)[0])).pages
    fonts = page["/Resources"]["/Font"].get_object()  # type: ignore[index]
    for font in fonts.values():
        descendant = font.get_object()["/DescendantFonts"][0].get_object()
        descriptor = descendant["/FontDescriptor"].get_object()
        assert {"/FontFile2", "/FontFile3", "/FontFile"} & set(descriptor)
    text = page.extract_text()
    letters = [char for char in name if char.isalpha()]
    missing = [char for char in letters if char not in text]
    assert len(missing) <= len(letters) // 2 if name in NAMES[-2:] else not missing


# -- what we rendered stays on record --


def test_a_rendering_is_known_to_the_last_byte() -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    content, digest = pdf_of(certificate.id)
    rendering = issued_as(content)
    assert rendering is not None
    assert (rendering.certificate_id, rendering.sha256, rendering.is_current) == (certificate.id, digest, True)
    assert issued_as(content + b"\n") is None


def test_after_signing_again_the_earlier_page_is_still_known() -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    before = pdf_of(certificate.id)[0]
    compromise(certificate.credential.key_id, actor=ACTOR, reason="The laptop is gone.")
    sign_again()
    after = pdf_of(certificate.id)[0]
    assert after != before
    known = [issued_as(before), issued_as(after)]
    assert [rendering and rendering.certificate_id for rendering in known] == [certificate.id] * 2
    assert [rendering and rendering.is_current for rendering in known] == [False, True]


def test_a_lost_file_that_is_made_again_is_no_other_rendering(settings: Settings) -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    content, digest = pdf_of(certificate.id)
    files(settings)[0].unlink()
    assert pdf_of(certificate.id) == (content, digest)
    assert CertificateRendering.objects.count() == 1
    # And it is there.
    assert [path.read_bytes() for path in files(settings)] == [content]


def test_the_page_bears_the_credential_that_is_given_away() -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    [attached] = PdfReader(BytesIO(pdf_of(certificate.id)[0])).attachments.values()
    assert attached == [certificate.credential.document.encode()]


def test_renderings_from_before_are_put_on_record() -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    digest = pdf_of(certificate.id)[1]
    CertificateRendering.objects.all().delete()
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute(import_module("certificates.migrations.0004_record_renderings").RECORD)
    assert CertificateRendering.objects.get().sha256 == digest
