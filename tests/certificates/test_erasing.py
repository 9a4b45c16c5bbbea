"""One certificate is erased: the name goes, and copies can still be verified."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.test import Client

from audit.models import AuditEvent
from cerply import clock
from cerply.errors import Gone
from certificates import keys, sharing, signing
from certificates.erasing import erase, settle_owed
from certificates.models import Certificate, CertificateRendering, Erasure, ShareLink
from certificates.rendering import pdf_of, render_owed
from certificates.revoking import revoke
from certificates.signing_again import sign_again
from certificates.suspending import reinstate, suspend
from certificates.verifying import verify_credential, verify_pdf
from tests.api.client import Api
from tests.certificates.erasing import erased
from tests.console import action_of
from tests.factories import ACTOR, Cast, complete, make_track


def test_copies_verify_and_nobody_gets_new_ones(api: Api, cast: Cast, certificate: Certificate) -> None:
    document, pdf = certificate.credential.document, pdf_of(certificate.id)[0]
    before = Certificate.objects.select_related("credential").get()
    after = erased(certificate)
    assert (after.learner_name, after.pdf, after.credential.document) == ("", "", "")
    for name in ("issued_at", "expires_at", "pdf_sha256", "credential_id", "public_url"):
        assert getattr(after, name) == getattr(before, name)
    for name in ("digest", "proof_value", "status_list_id", "status_index", "key_id"):
        assert getattr(after.credential, name) == getattr(before.credential, name)
    for sent, kind in ((document.encode(), "application/vc"), (pdf, "application/pdf")):
        said = api.call("POST", "/certificates/verify", sent, content_type=kind)
        assert (said.status, said.body["genuine"], said.body["status"]) == (200, True, "valid")
        assert (said.body["signed"] is not None) is (sent != pdf)
        assert cast.learner.name not in said.content.decode()
    assert not verify_credential(document.replace("Maya", "Mona").encode()).is_genuine
    assert not verify_pdf(pdf + b"\n").is_genuine
    for what in ("download", "credential"):
        answer = api.get(f"/certificates/{certificate.id}/{what}", by=cast.learner)
        assert (answer.status, answer.code) == (410, "GONE")
        assert "name was removed" in answer.body["error"]["message"]
    assert api.get(f"/certificates/{certificate.id}/download", by=cast.colleague).status == 403
    [row] = api.get("/certificates", by=cast.admin).body["certificates"]
    assert (row["learner"], row["status"]) == ({"id": str(cast.learner.id), "name": ""}, "valid")
    assert row["erasedAt"]
    verified = api.get(f"/certificates/{certificate.id}/verify?signature={after.signature}")
    assert (verified.body["valid"], verified.body["learnerName"]) == (True, None)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "name was removed"),
        ("de", "Name wurde auf Wunsch"),
        ("fr", "nom a été retiré"),
        ("es", "nombre se eliminó"),
        ("ar", "حُذف الاسم"),
        ("ja", "氏名は当方の記録から削除"),
    ],
)
def test_the_page_says_that_the_name_was_removed(
    cast: Cast, certificate: Certificate, language: str, words: str
) -> None:
    erased(certificate)
    page = Client().get(f"/verify/{certificate.id}?lang={language}").content.decode()
    assert words in page
    assert cast.learner.name not in page


def test_its_file_is_deleted_by_the_job(certificate: Certificate, media: Path) -> None:
    pdf_of(certificate.id)
    stray = media / certificate.file_name.replace(".pdf", "_Ab3.pdf")
    stray.write_bytes(b"left by who was killed")
    erased(certificate)
    assert settle_owed() == "Settled 1 erasures."
    assert list(media.rglob("*.pdf")) == []
    assert settle_owed() == "Settled 0 erasures."
    assert CertificateRendering.objects.count() == 1


def test_a_storage_that_fails_is_asked_again(
    certificate: Certificate, media: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pdf_of(certificate.id)
    erased(certificate)
    folder = (media / certificate.file_name).parent
    folder.rename(folder.with_name("away"))
    folder.write_text("no folder")
    with pytest.raises(Exception, match="could not settle 1"):
        settle_owed()
    folder.unlink()
    folder.with_name("away").rename(folder)
    assert settle_owed() == "Settled 1 erasures."
    assert list(media.rglob("*.pdf")) == []


def test_the_jobs_leave_it_alone(certificate: Certificate) -> None:
    erased(certificate)
    assert render_owed() == "Rendered 0 certificates."
    keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="x")
    assert sign_again() == "Signed 0 credentials again."
    after = Certificate.objects.select_related("credential__key").get()
    assert not signing.is_genuine(after.credential, after.signature)


def test_what_can_still_be_done_with_it(api: Api, cast: Cast, certificate: Certificate) -> None:
    erased(certificate)
    refused = api.post(f"/certificates/{certificate.id}/replace", {"reason": "x", "learnerName": "Y"}, by=cast.admin)
    assert refused.status == 409
    assert api.post(f"/certificates/{certificate.id}/share-links", by=cast.learner).status == 410
    with pytest.raises(Gone):
        pdf_of(certificate.id)
    suspend(certificate.id, "x", actor=ACTOR)
    reinstate(certificate.id, "x", actor=ACTOR)
    revoke(certificate.id, "x", actor=ACTOR)
    assert not verify_credential(certificate.credential.document.encode()).checks[-1].passed


def test_its_links_are_withdrawn(api: Api, certificate: Certificate) -> None:
    _, secret = sharing.share(certificate, actor=ACTOR)
    erased(certificate)
    assert not ShareLink.objects.live().exists()
    assert api.get(f"/shared/{secret}").status == 410
    assert AuditEvent.objects.filter(type="share_link_withdrawn").count() == 1


def test_twice_is_once(certificate: Certificate) -> None:
    first = erased(certificate)
    assert not erase(certificate.id, actor=ACTOR, reason="again")
    assert Certificate.objects.get().erased_at == first.erased_at
    assert AuditEvent.objects.filter(type="certificate_erased").count() == Erasure.objects.count() == 1


def test_the_audit_keeps_that_it_was_erased_without_the_name(cast: Cast, certificate: Certificate) -> None:
    erase(certificate.id, actor=ACTOR, reason=f"{cast.learner.name} asked for it.")
    [event] = AuditEvent.objects.filter(type="certificate_erased")
    about = {"learnerId": str(cast.learner.id), "trackId": str(cast.track.id)}
    assert event.metadata == {"reason": "[…] asked for it.", **about}
    assert event.subject_id == certificate.id


def test_another_ones_stays(cast: Cast, certificate: Certificate) -> None:
    [other] = complete(cast.colleague, cast.track).certificates
    [second] = complete(cast.learner, make_track(cast.organization)).certificates
    erased(certificate)
    settle_owed()
    for kept in (other, second):
        assert pdf_of(kept.id)[0].startswith(b"%PDF")
        assert Certificate.objects.get(id=kept.id).learner_name


def test_staff_erase_in_the_admin(console: Client, certificate: Certificate) -> None:
    page = action_of(certificate, "erase")
    assert "removed for good" in console.get(page).content.decode()
    assert console.post(page, {"reason": ""}).status_code == 200
    assert Certificate.objects.kept().exists()
    assert console.post(page, {"reason": "She asked."}).status_code == 302
    assert not Certificate.objects.kept().exists()
    shown = console.get(page.replace("/erase/", "/change/"))
    assert (shown.status_code, "/erase/" in shown.content.decode()) == (200, False)


def test_an_erased_one_is_reminded_of_no_more(cast: Cast, certificate: Certificate) -> None:
    now = clock.now()
    Certificate.objects.update(issued_at=now - timedelta(days=99), expires_at=now + timedelta(days=5))
    start = (now, UUID(int=0))
    assert Certificate.objects.ending(start, now + timedelta(days=9)).count() == 1
    erased(certificate)
    assert Certificate.objects.ending(start, now + timedelta(days=9)).count() == 0
