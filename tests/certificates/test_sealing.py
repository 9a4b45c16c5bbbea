"""Certificates that are sealed: once, and what becomes of them when files, keys or the seal are lost."""

import hashlib
import logging
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from cerply import clock
from cerply.seal import Seal
from certificates.keys import compromise
from certificates.models import Certificate, CertificateRendering
from certificates.pdf import render
from certificates.rendering import NotRendered, RenderedDifferently, facts_of, issued_as, pdf_of, render_owed
from certificates.sealing import LocalSealer, SealLapsed
from certificates.signing_again import sign_again
from certificates.verifying import verify_file
from tests.certificates.sealers import Authority, pem_of_key, write_seal
from tests.factories import ACTOR, complete, make_cast
from tests.processes import run_python

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def seal(settings: Settings) -> Seal:
    seal = Authority().make_seal()
    settings.PDF_SEAL = seal
    return seal


@pytest.fixture
def certificate() -> Certificate:
    cast = make_cast()
    return complete(cast.learner, cast.track).certificates[0]


def lose(settings: Settings) -> None:
    [path] = Path(settings.MEDIA_ROOT).rglob("*.pdf")
    path.unlink()


def is_sealed(content: bytes) -> bool:
    return b"/ETSI.CAdES.detached" in content


def said_of(content: bytes) -> list[str]:
    """What was found wrong; nothing of a genuine one."""
    verdict = verify_file(content)
    failed = [check.sentence for check in verdict.checks if not check.passed]
    assert verdict.is_genuine is not bool(failed)
    return failed


def test_it_is_sealed_once_and_that_is_on_record(seal: Seal, certificate: Certificate) -> None:
    content, digest = pdf_of(certificate.id)
    assert is_sealed(content)
    assert pdf_of(certificate.id) == (content, digest)
    rendering = CertificateRendering.objects.get()
    page = render(facts_of(Certificate.objects.get()))
    assert rendering.sha256 == digest == hashlib.sha256(content).hexdigest()
    assert rendering.page_sha256 == hashlib.sha256(page).hexdigest()
    assert rendering.key_id == certificate.credential.key_id
    assert said_of(content) == []
    assert said_of(content + b"\n") == ["file.failed"]


def test_sixteen_who_ask_first_get_the_same_file(seal: Seal, certificate: Certificate, settings: Settings) -> None:
    together = Barrier(16)

    def download(_: int) -> tuple[bytes, str]:
        try:
            together.wait()
            return pdf_of(certificate.id)
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        [(content, digest)] = set(pool.map(download, range(16)))
        lose(settings)
        [(again, digest_again)] = set(pool.map(download, range(16)))
    assert (hashlib.sha256(content).hexdigest(), hashlib.sha256(again).hexdigest()) == (digest, digest_again)
    assert CertificateRendering.objects.count() == 2
    assert len(list(Path(settings.MEDIA_ROOT).rglob("*.pdf"))) == 1


KILLED = """
from certificates import rendering
save = rendering.default_storage.save
def die(name, content):
    save(name, content)
    os.kill(os.getpid(), signal.SIGKILL)
rendering.default_storage.save = die
rendering.render_owed()
"""


def test_killed_after_sealing_it_is_sealed_again(
    seal: Seal, certificate: Certificate, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in write_seal(tmp_path, seal).items():
        monkeypatch.setenv(name, value)
    assert run_python(KILLED).returncode == -signal.SIGKILL
    [left] = Path(settings.MEDIA_ROOT).rglob("*.pdf")
    assert is_sealed(left.read_bytes())
    assert not CertificateRendering.objects.exists()
    assert render_owed() == "Rendered 1 certificates."
    [path] = Path(settings.MEDIA_ROOT).rglob("*.pdf")
    assert path.read_bytes() == pdf_of(certificate.id)[0]


def test_a_lost_file_has_another_in_its_place_and_both_are_genuine(
    seal: Seal, certificate: Certificate, settings: Settings
) -> None:
    first, _ = pdf_of(certificate.id)
    lose(settings)
    second, digest = pdf_of(certificate.id)
    assert second != first
    assert is_sealed(second)
    assert pdf_of(certificate.id) == (second, digest)
    assert [said_of(first), said_of(second)] == [[], []]
    assert [rendering.sha256 for rendering in CertificateRendering.objects.all() if rendering.is_current] == [digest]


def test_what_a_compromised_key_signed_counts_no_more_in_any_of_them(
    seal: Seal, certificate: Certificate, settings: Settings
) -> None:
    contents = [pdf_of(certificate.id)[0]]
    lose(settings)
    contents.append(pdf_of(certificate.id)[0])
    compromise(certificate.credential.key_id, actor=ACTOR, reason="The laptop is gone.")
    assert [said_of(content) for content in contents] == [["key.failed"]] * 2
    sign_again()
    contents.append(pdf_of(certificate.id)[0])
    assert [said_of(content) for content in contents] == [["key.failed"], ["key.failed"], []]


def test_renderings_from_before_keys_were_on_record(certificate: Certificate) -> None:
    before, _ = pdf_of(certificate.id)
    CertificateRendering.objects.update(key=None)
    assert said_of(before) == []
    compromise(certificate.credential.key_id, actor=ACTOR, reason="The laptop is gone.")
    sign_again()
    assert said_of(before) == ["key.failed"]
    after, _ = pdf_of(certificate.id)
    assert [said_of(before), said_of(after)] == [["key.failed"], []]


def test_a_page_that_would_be_another_is_not_sealed_in_its_place(
    seal: Seal, certificate: Certificate, settings: Settings
) -> None:
    pdf_of(certificate.id)
    lose(settings)
    Certificate.objects.update(colour="#123456")
    with pytest.raises(RenderedDifferently):
        pdf_of(certificate.id)
    assert CertificateRendering.objects.count() == 1


def test_what_was_given_away_without_a_seal_stays_so(certificate: Certificate, settings: Settings) -> None:
    content = pdf_of(certificate.id)
    settings.PDF_SEAL = Authority().make_seal()
    assert pdf_of(certificate.id) == content
    lose(settings)
    assert pdf_of(certificate.id) == content


def test_a_lost_file_is_there_again_also_when_seals_are_off_by_now(
    seal: Seal, certificate: Certificate, settings: Settings
) -> None:
    sealed, _ = pdf_of(certificate.id)
    settings.PDF_SEAL = None
    assert pdf_of(certificate.id)[0] == sealed
    lose(settings)
    page, digest = pdf_of(certificate.id)
    assert sealed.startswith(page)
    assert not is_sealed(page)
    assert [said_of(sealed), said_of(page)] == [[], []]
    lose(settings)
    assert pdf_of(certificate.id) == (page, digest)


def test_with_a_lapsed_certificate_nothing_new_is_rendered(
    seal: Seal, certificate: Certificate, settings: Settings
) -> None:
    with clock.moved_to(seal.ends_at + timedelta(seconds=1)):
        with pytest.raises(SealLapsed, match="PDF_SEAL_CERTIFICATE"):
            pdf_of(certificate.id)
        with pytest.raises(NotRendered):
            render_owed()
        assert list(Certificate.objects.owed_a_pdf()) == [certificate]
        settings.PDF_SEAL = Authority().make_seal(days=800)
        content = pdf_of(certificate.id)
    with clock.moved_to(seal.ends_at + timedelta(days=3650)):
        assert pdf_of(certificate.id) == content


def test_a_certificate_that_ends_soon_is_warned_of(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.PDF_SEAL = Authority().make_seal(days=20)
    call_command("check")
    assert "PDF_SEAL_CERTIFICATE holds until" in capsys.readouterr().err
    settings.PDF_SEAL = Authority().make_seal(days=40)
    call_command("check")
    assert "PDF_SEAL" not in capsys.readouterr().err


def test_the_key_is_in_no_repr_and_no_log(
    seal: Seal, certificate: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    pdf_of(certificate.id)
    number = seal.key.private_numbers().private_value
    secrets = [str(number), f"{number:x}", pem_of_key(seal.key).decode().splitlines()[1], "PrivateKey"]
    for text in (repr(seal), repr(LocalSealer(seal)), caplog.text):
        assert not [secret for secret in secrets if secret in text]


def test_who_does_not_seal_does_not_load_what_seals(certificate: Certificate) -> None:
    done = run_python(
        "import sys\nfrom certificates.rendering import render_owed\nprint(render_owed())\n"
        "print([name for name in sys.modules if name.startswith('pyhanko')])"
    )
    assert done.stdout.split("\n")[:2] == ["Rendered 1 certificates.", "[]"]
    rendering = issued_as(pdf_of(certificate.id)[0])
    assert rendering is not None
    assert rendering.page_sha256 == ""
