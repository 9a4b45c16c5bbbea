"""What a restore brings back is erased again."""

from datetime import timedelta
from pathlib import Path

import pytest

from cerply import clock
from certificates import journal
from certificates.erasing import erase, erase_learner, replay, settle_owed
from certificates.models import Certificate, Credential, Erasure
from certificates.rendering import pdf_of
from tests.certificates.erasing import erased
from tests.factories import ACTOR, Cast, complete, make_track


def test_after_a_restore_it_is_erased_again(cast: Cast, certificate: Certificate, media: Path) -> None:
    [other] = complete(cast.colleague, cast.track).certificates
    pdf_of(certificate.id)
    was = Certificate.objects.filter(id__in=[certificate.id, other.id])
    rows = {row.id: (row.learner_name, row.pdf, row.credential.document) for row in was}
    files = {path: path.read_bytes() for path in media.rglob("*.pdf")}
    erase_learner(cast.learner.id, actor=ACTOR, reason="x")
    erase(other.id, actor=ACTOR, reason="x")
    settle_owed()
    with clock.moved_to(clock.now() + timedelta(seconds=1)):
        [later] = complete(cast.learner, make_track(cast.organization)).certificates
    # The backup is from before, of the database and of the PDFs.
    Erasure.objects.all().delete()
    for id_, (name, pdf, document) in rows.items():
        Certificate.objects.filter(id=id_).update(learner_name=name, pdf=pdf, erased_at=None)
        Credential.objects.filter(id=id_).update(document=document)
    for path, content in files.items():
        path.write_bytes(content)
    assert len(list(journal.read())) == 2
    assert replay().startswith("Erased 2 again")
    assert list(Certificate.objects.kept()) == [later]
    assert list(media.rglob("*.pdf")) == []
    assert replay().startswith("Erased 0 again")
    assert "Maya" not in "".join(path.read_text() for path in (media / "erasures").iterdir())


def test_files_that_a_restore_brought_back_are_deleted(certificate: Certificate, media: Path) -> None:
    pdf_of(certificate.id)
    [path] = media.rglob("*.pdf")
    content = path.read_bytes()
    erased(certificate)
    settle_owed()
    path.write_bytes(content)
    replay()
    assert not path.exists()


def test_a_damaged_entry_of_the_journal_holds_up_no_other(
    certificate: Certificate, media: Path, caplog: pytest.LogCaptureFixture
) -> None:
    erased(certificate)
    settle_owed()
    (media / "erasures" / "0.json").write_text("{")
    assert [entry.certificate_id for entry in journal.read()] == [certificate.id]
    assert "erasures/0.json is damaged" in caplog.text
