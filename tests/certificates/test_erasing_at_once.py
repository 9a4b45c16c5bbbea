"""Erasing that is killed in the middle, and beside everything else."""

import signal
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from audit.models import AuditEvent
from cerply.errors import Conflict, Gone
from certificates import journal, keys, sharing
from certificates.erasing import erase, erase_learner, settle_owed
from certificates.models import Certificate, Credential
from certificates.rendering import pdf_of, render_owed
from certificates.replacing import replace
from certificates.signing_again import sign_again
from tests.api.client import Api
from tests.factories import ACTOR, complete, make_cast, make_track, make_user
from tests.processes import run_python
from tests.threads import at_once, meanwhile

KILLED = """
from uuid import UUID
from cerply.permissions import Actor
from certificates import erasing, sharing
from django.core.files.storage import default_storage
def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
{where} = die
erasing.erase_learner(UUID("{learner}"), actor=Actor.system("test"), reason="x")
erasing.settle_owed()
"""
WHERE = ("sharing.withdraw_all", "erasing._owe", "default_storage.delete", "erasing.journal.write")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("where", WHERE)
def test_killed_in_the_middle_nothing_half_erased_is_served(where: str, media: Path) -> None:
    cast, api = make_cast(), Api()
    made = [*complete(cast.learner, cast.track).certificates]
    made += complete(cast.learner, make_track(cast.organization)).certificates
    for certificate in made:
        pdf_of(certificate.id)
    killed = run_python(KILLED.format(where=where, learner=cast.learner.id))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    committed = where not in WHERE[:2]
    for certificate in made:
        answers = [
            api.get(f"/certificates/{certificate.id}/{what}", by=cast.learner) for what in ("download", "credential")
        ]
        assert [answer.status for answer in answers] == [410 if committed else 200] * 2
        assert (Certificate.objects.get(id=certificate.id).learner_name == "") is committed
    if not committed:
        assert erase_learner(cast.learner.id, actor=ACTOR, reason="x") == 2
    assert settle_owed() == "Settled 1 erasures."
    assert list(media.rglob("*.pdf")) == []
    assert len(list(journal.read())) == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_beside_downloading_rendering_and_signing_again(media: Path) -> None:
    cast = make_cast()
    learners = [make_user(cast.organization) for _ in range(4)]
    made = [complete(learner, cast.track).certificates[0] for learner in learners]
    keys.compromise(made[0].credential.key_id, actor=ACTOR, reason="x")

    def download(certificate: Certificate) -> Any:
        try:
            return pdf_of(certificate.id)[0][:4]
        except Gone:
            return None

    def erase_one(certificate: Certificate) -> Any:
        return erase(certificate.id, actor=ACTOR, reason="x")

    calls: list[Any] = [lambda each=each: download(each) for each in made]
    calls += [lambda each=each: erase_one(each) for each in [*made, *made]]
    calls += [render_owed, sign_again, settle_owed, lambda: erase_learner(learners[0].id, actor=ACTOR, reason="x")]
    results = at_once(calls)
    assert set(results[:4]) <= {b"%PDF", None}
    settle_owed()
    assert list(media.rglob("*.pdf")) == []
    assert not Certificate.objects.exclude(learner_name="", pdf="").exists()
    assert not Credential.objects.exclude(document="").exists()
    assert AuditEvent.objects.filter(type="certificate_erased").count() == 4


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_who_waits_for_the_erasing_to_commit_finds_it_erased(media: Path) -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    with transaction.atomic():
        erase(certificate.id, actor=ACTOR, reason="x")
        downloading = meanwhile(lambda: pdf_of(certificate.id))
        replacing = meanwhile(lambda: replace(certificate.id, "x", learner_name="Y", actor=ACTOR))
        sharing_ = meanwhile(lambda: sharing.share(certificate, actor=ACTOR))
    for waiting, refusal in ((downloading, Gone), (replacing, Conflict), (sharing_, Gone)):
        with pytest.raises(refusal):
            waiting.result()
    assert list(media.rglob("*.pdf")) == []
    assert Certificate.objects.count() == 1
