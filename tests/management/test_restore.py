"""The backup of the runbook, restored by its commands into another cluster and another folder: the books are the same,
and the worker does what was owed, once.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from shutil import rmtree

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.db.models import F
from pytest_django import Settings

from audit.heads import Head
from audit.sealing import seal
from cerply import clock
from cerply.management.postgres import Postgres, binaries
from certificates.erasing import erase_learner, settle_owed
from certificates.models import Certificate
from certificates.verifying import verify_credential, verify_pdf
from ops import jobs
from ops.models import JobOutcome, JobRun
from ops.timetable import due
from tests.api.client import Api
from tests.audit.evidence import newest
from tests.factories import ACTOR, Cast, complete, make_track
from tests.mail_server import MailServer, mail_server
from tests.management.books import Books, books
from tests.management.watching import eventually
from tests.processes import environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not (binaries() / "pg_dump").exists(), reason="pg_dump is not here."),
]

CHECKOUT = Path(__file__).resolve().parents[2]
RUNBOOK = CHECKOUT / "docs" / "runbook.md"
DAILY = ("cleanup_idempotency_keys", "create_audit_partitions", "find_at_risk")
MANAGE = f'manage.py() {{ (cd "{CHECKOUT}" && "{sys.executable}" manage.py "$@"); }}'


def commands(name: str) -> str:
    """The block of the runbook that bears this name."""
    [block] = re.findall(rf"^```sh {name}\n(.*?)^```$", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


def run(script: str, folder: Path, **changes: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{MANAGE}\n{script}"],
        cwd=folder,
        env=environment() | {"PATH": f"{binaries()}:{os.environ['PATH']}"} | changes,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def elsewhere(folder: Path, settings: Settings) -> Iterator[dict[str, str]]:
    """A machine with an empty database and no files: what its environment says. The connection leads there."""
    before, media = dict(connection.settings_dict), settings.MEDIA_ROOT
    with Postgres(folder / "elsewhere", durable=False) as server:
        settings.MEDIA_ROOT = folder / "media"
        settings.MEDIA_ROOT.mkdir()
        connection.close()
        connection.settings_dict.update({"HOST": str(server.sockets), "NAME": "cerply", "USER": "postgres"})
        try:
            yield {"DATABASE_URL": server.url}
        finally:
            connection.close()
            connection.settings_dict.update(before)
            settings.MEDIA_ROOT = media


@contextmanager
def worker(mailbox: MailServer, log: Path, **changes: str) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "qcluster"],
            env=environment() | {"EMAIL_URL": f"smtp://127.0.0.1:{mailbox.port}"} | changes,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def run_jobs_a_day_ago() -> None:
    """Each, so that many times have been missed when the worker starts again."""
    for job in django_settings.JOBS:
        jobs.run(job, due(job, clock.now()))
    JobRun.objects.update(window=F("window") - timedelta(days=1))


def an_hour_ago() -> AbstractContextManager[None]:
    """What is told by e-mail is held for minutes, so that it goes out together."""
    return clock.moved_to(clock.now() - timedelta(hours=1))


def succeeded(job: str) -> int:
    return JobRun.objects.filter(job=job, outcome=JobOutcome.SUCCEEDED).count()


def without(books: Books, *tables: str) -> Books:
    return {name: rows for name, rows in books.items() if name not in tables}


def test_what_the_runbook_backs_up_is_restored_as_it_was(cast: Cast, settings: Settings, tmp_path: Path) -> None:
    with mail_server(settings) as mailbox:
        with an_hour_ago():
            complete(cast.learner, cast.track)
            complete(cast.colleague, cast.track)
        run_jobs_a_day_ago()
        seal()
        head = Head.of(newest(cast.organization.id))
        assert cast.manager.email in mailbox.recipients
        sent = len(mailbox.taken)
        # Owed when the dump is taken: a mail, and a PDF.
        with an_hour_ago():
            complete(cast.learner, make_track(cast.organization))
        run(commands("backup"), tmp_path)
        at_backup = books()

        # Lost: but not that somebody was erased, of which the journal tells.
        complete(cast.learner, make_track(cast.organization))
        erase_learner(cast.colleague.id, actor=ACTOR, reason="She asked for it.")
        settle_owed()
        run(commands("journal"), tmp_path)

        with elsewhere(tmp_path, settings) as there:
            restore, forget = commands("restore").split("manage.py replay_erasures\n")
            run(restore, tmp_path, **there)
            assert without(books(), "feature_rollouts") == without(at_backup, "feature_rollouts")
            said = run(f"manage.py replay_erasures\n{forget}manage.py verify_audit --head {head}", tmp_path, **there)
            assert "Erased 1 again" in said
            assert not Certificate.objects.filter(learner=cast.colleague).exclude(learner_name="").exists()
            assert_certificates_verify(cast, count=2)

            with worker(mailbox, tmp_path / "worker.log", **there):
                eventually(lambda: all(succeeded(job) > 1 for job in DAILY), 120)
                eventually(lambda: not Certificate.objects.kept().owed_a_pdf().exists(), 120)
                eventually(lambda: len(mailbox.taken) > sent, 120)
            assert {job: succeeded(job) for job in DAILY} == dict.fromkeys(DAILY, 2)
            messages = [message["Message-ID"] for message in mailbox.taken]
            assert len(set(messages)) == len(messages)
            rmtree(settings.MEDIA_ROOT / "certificates")
            assert_certificates_verify(cast, count=2)


def assert_certificates_verify(cast: Cast, count: int) -> None:
    """Also where the file is not there: it is made again, byte by byte."""
    certificates = Certificate.objects.kept().filter(learner=cast.learner).select_related("credential")
    assert len(certificates) == count
    for certificate in certificates:
        assert verify_credential(certificate.credential.document.encode()).is_genuine
        pdf = Api().get(f"/certificates/{certificate.id}/download", by=cast.learner)
        assert pdf.status == 200
        assert verify_pdf(pdf.content).is_genuine
