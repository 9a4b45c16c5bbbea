"""Erasing: the name goes from everywhere, and copies can still be verified."""

import json
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.models import User
from cerply.accounts.people import change_person
from cerply.errors import Conflict, Gone
from cerply.forgetting import Forgotten
from certificates import journal, keys, sharing, signing
from certificates.erasing import erase, erase_learner, replay, settle_owed
from certificates.models import Certificate, CertificateRendering, Credential, Erasure, ShareLink
from certificates.name_stores import STORES, kept_columns
from certificates.rendering import pdf_of, render_owed
from certificates.replacing import replace
from certificates.revoking import revoke
from certificates.signing_again import sign_again
from certificates.suspending import reinstate, suspend
from certificates.verifying import verify_credential, verify_pdf
from gamification.certifying import credential_of
from gamification.models import LearnerBadge
from notifications.models import ManagerNotification
from ops.models import IdempotencyKey
from tests.api.client import Api
from tests.console import action_of
from tests.factories import ACTOR, Cast, complete, make_cast, make_track, make_user
from tests.notifications.webhooks import make_endpoint
from tests.processes import run_python
from tests.threads import at_once, meanwhile

NAME = "Wilhelmina Quaggenbusch"
FORMER = "Wilhelmina Zzyzxdottir"
FIND = 'SELECT EXISTS (SELECT FROM "{table}" WHERE {column}::text LIKE %s OR {column}::text LIKE %s)'
FIND_BYTES = 'SELECT EXISTS (SELECT FROM "{table}" WHERE position(%s::bytea in {column}) > 0)'
WHY = f"{NAME} asked for it."


@pytest.fixture
def certificate(cast: Cast) -> Certificate:
    return complete(cast.learner, cast.track).certificates[0]


def erased(certificate: Certificate) -> Certificate:
    assert erase(certificate.id, actor=ACTOR, reason="She asked for it.")
    return Certificate.objects.select_related("credential__key").get(id=certificate.id)


def columns_with(text: str) -> set[str]:
    """Every column of every table in which it is found, whatever its type; partitions count as their table."""
    found = set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c"
            "  JOIN pg_class ON pg_class.relname = c.table_name AND pg_class.relkind IN ('r', 'p')"
            "   AND NOT pg_class.relispartition"
            " WHERE c.table_schema = 'public' AND c.data_type IN"
            " ('text', 'character varying', 'character', 'json', 'jsonb', 'bytea', 'ARRAY')"
        )
        for table, column, kind in cursor.fetchall():
            name, escaped = f'"{column}"', json.dumps(text)[1:-1]
            if kind == "bytea":
                cursor.execute(FIND_BYTES.format(table=table, column=name), [text.encode()])
            else:
                cursor.execute(FIND.format(table=table, column=name), [f"%{text}%", f"%{escaped}%"])
            if cursor.fetchone()[0]:
                found.add(f"{table}.{column}")
    return found


# -- one certificate --


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


# -- all that bears her name --


def everything(api: Api, cast: Cast) -> User:
    """A learner with a name that nobody else has, and all that leaves a trace of it."""
    make_endpoint(cast.organization, "https://hooks.example.com/")
    person = {"name": FORMER, "email": "w.q@example.com", "externalId": "77", "role": "learner"}
    made = api.post("/learners", person, by=cast.admin, x_idempotency_key="made")
    learner = User.objects.get(id=made.body["id"])
    path = f"/teams/{cast.team.id}/members/{learner.id}"
    assert api.put(path, by=cast.admin, x_idempotency_key="joins").status < 300
    items = list(cast.track.items.all())
    for item in items:
        body = {"trackId": str(cast.track.id), "itemId": str(item.id), "correct": True}
        assert api.post("/attempts", body, by=learner, x_idempotency_key=str(item.id)).status == 201
    other = make_track(cast.organization)
    outside = {"trackId": str(other.id)}
    assert api.post(f"/learners/{learner.id}/completions", outside, by=cast.admin, x_idempotency_key="c").status == 201
    api.patch(f"/learners/{learner.id}", {"name": NAME}, by=cast.admin, x_idempotency_key="renamed")
    first, second = Certificate.objects.filter(learner=learner).order_by("issued_at")
    why = {"reason": f"Not {FORMER}, but {NAME}."}
    for what in ("suspend", "reinstate", "replace"):
        assert api.post(f"/certificates/{first.id}/{what}", why, by=cast.admin, x_idempotency_key="k").status == 200
    assert api.post(f"/certificates/{second.id}/revoke", why, by=cast.admin, x_idempotency_key="k").status == 200
    for award in LearnerBadge.objects.filter(learner=learner):
        credential_of(award, actor=ACTOR)
    for certificate in Certificate.objects.filter(learner=learner):
        pdf_of(certificate.id)
        sharing.share(certificate, actor=ACTOR)
    return learner


def test_the_name_is_nowhere_but_where_it_is_said_to_stay(api: Api, cast: Cast, media: Path) -> None:
    learner = everything(api, cast)
    listed = {column for store in STORES for column in store.columns}
    before = columns_with(NAME) | columns_with(FORMER)
    assert before <= listed, "Who adds a store of names adds it to certificates.name_stores."
    forgotten = {column for store in STORES if store.forget for column in store.columns}
    assert forgotten <= before, "The test leaves no trace in one of the stores: it proves nothing of it."
    call_command("erase_certificates", learner=str(learner.id), reason=WHY)
    assert columns_with(NAME) | columns_with(FORMER) <= kept_columns()
    assert (columns_with(NAME) | columns_with(FORMER)) == {"users.name", "audit_events.metadata"}
    erasing = AuditEvent.objects.filter(type__in=["certificate_erased", "credential_erased", "name_erased"])
    assert erasing.count() == 3 + LearnerBadge.objects.filter(learner=learner).count() + 1
    assert not [event for event in erasing if "Wilhelmina" in json.dumps(event.metadata)]
    for path in media.rglob("*"):
        assert path.is_dir() or "Wilhelmina" not in path.read_text(errors="replace")
    assert list(media.rglob("*.pdf")) == []


def test_a_replay_still_does_nothing_twice_and_says_no_name(api: Api, cast: Cast) -> None:
    learner = everything(api, cast)
    erase_learner(learner.id, actor=ACTOR, reason="x")
    person = {"name": FORMER, "email": "w.q@example.com", "externalId": "77", "role": "learner"}
    again = api.post("/learners", person, by=cast.admin, x_idempotency_key="made")
    assert (again.status, again.headers["X-Idempotency-Replay"], again.body["name"]) == (201, "true", "")
    assert again.body["id"] == str(learner.id)
    assert not [row for row in IdempotencyKey.objects.all() if b"Wilhelmina" in bytes(row.body)]


def test_nobody_elses_names_are_touched(api: Api, cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    namesake = make_user(cast.organization, name=cast.learner.name)
    [other] = complete(namesake, cast.track).certificates
    told = ManagerNotification.objects.filter(learner=cast.learner).count()
    complete(cast.colleague, cast.track)
    assert erase_learner(cast.learner.id, actor=ACTOR, reason="x") == 1
    assert Certificate.objects.get(id=certificate.id).learner_name == ""
    assert Certificate.objects.get(id=other.id).learner_name == cast.learner.name
    rows = ManagerNotification.objects.filter(learner=cast.learner)
    assert [row.content["learnerName"] for row in rows] == [""] * told
    assert told


def test_badges_are_gone(api: Api, cast: Cast) -> None:
    complete(cast.learner, cast.track)
    path = f"/learners/{cast.learner.id}/badges/first-steps"
    copy = api.get(f"{path}/credential", by=cast.learner)
    erase_learner(cast.learner.id, actor=ACTOR, reason="x")
    for what in ("credential", "image.png", "image.svg", "png", "svg"):
        answer = api.get(f"{path}/{what}", by=cast.learner)
        assert answer.status in {404, 410}
        assert answer.status == 410 or what != "credential"
    assert verify_credential(copy.content).is_genuine


def test_what_she_earns_later_bears_her_name(cast: Cast, certificate: Certificate) -> None:
    erase_learner(cast.learner.id, actor=ACTOR, reason="x")
    [later] = complete(cast.learner, make_track(cast.organization)).certificates
    assert later.learner_name == cast.learner.name


def test_the_command_counts_first(cast: Cast, certificate: Certificate, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("erase_certificates", learner=str(cast.learner.id), dry_run=True)
    assert capsys.readouterr().out == f"Would erase 1 certificates of {cast.learner.id}.\n"
    assert Certificate.objects.kept().exists()
    for nobody in (str(uuid4()), "x"):
        with pytest.raises(CommandError, match="There is no learner"):
            call_command("erase_certificates", learner=nobody)


@given(st.text(min_size=1), st.text(), st.text())
def test_names_are_taken_out_of_texts(name: str, before: str, after: str) -> None:
    person = Forgotten(UUID(int=0), {name}, clock.now(), "")
    assert person.out_of(name) == ""
    assert (
        name in {" ", "[", "…", "]", "[…]", "[…", "…]"} or name not in person.out_of(f"{before} {name} {after}").split()
    )


@pytest.mark.parametrize(
    ("names", "text", "left"),
    [
        ({"Li"}, "Li read Listen to Li.", "[…] read Listen to […]."),
        ({"田中陽子"}, "田中陽子さんの証書", "[…]さんの証書"),
        ({"Ann", "Ann Lee"}, "Ann Lee, or Ann", "[…], or […]"),
        ({"a.c"}, "abc a.c", "abc […]"),
        (set(), "nothing", "nothing"),
    ],
)
def test_names_in_sentences(names: set[str], text: str, left: str) -> None:
    assert Forgotten(UUID(int=0), names, clock.now(), "").out_of(text) == left


# -- backups --


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


# -- killed in the middle, and in parallel --

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


def test_an_erased_one_is_reminded_of_no_more(cast: Cast, certificate: Certificate) -> None:
    now = clock.now()
    Certificate.objects.update(issued_at=now - timedelta(days=99), expires_at=now + timedelta(days=5))
    start = (now, UUID(int=0))
    assert Certificate.objects.ending(start, now + timedelta(days=9)).count() == 1
    erased(certificate)
    assert Certificate.objects.ending(start, now + timedelta(days=9)).count() == 0


def test_a_name_that_she_bore_before_is_known(cast: Cast, certificate: Certificate) -> None:
    change_person(cast.learner.id, {"name": NAME}, actor=ACTOR)
    change_person(cast.learner.id, {"name": FORMER}, actor=ACTOR)
    revoke(certificate.id, f"Look at {NAME}.", actor=ACTOR)
    erased(certificate)
    assert Certificate.objects.get().revocation_reason == "Look at […]."
