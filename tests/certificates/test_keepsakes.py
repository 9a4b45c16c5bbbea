"""Who has left keeps her certificates: a link by mail, a page, files for checking without us."""

import io
import json
import re
import signal
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.core.mail.message import EmailMessage
from django.test import Client
from django_q.models import OrmQ
from pytest_django import Settings

from audit import kpis
from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.models import User
from cerply.accounts.organizations import close_organization, reopen_organization
from cerply.accounts.people import change_person
from cerply.languages import LANGUAGES
from certificates import keepsakes, keys, proofs
from certificates.erasing import erase, erase_learner
from certificates.keepsakes import mail_keepsakes
from certificates.models import Certificate, Keepsake
from certificates.rendering import pdf_of
from certificates.revoking import revoke
from certificates.verifying import verify_credential, verify_pdf
from ops import owed_mail
from tests.api.client import Api
from tests.console import action_of
from tests.factories import ACTOR, Cast, complete, make_cast, make_track, make_user
from tests.processes import run_python
from tests.threads import at_once


@pytest.fixture
def certificate(cast: Cast) -> Certificate:
    return complete(cast.learner, cast.track).certificates[0]


def leave(user: User, *, active: bool = False) -> None:
    change_person(user.id, {"active": active}, actor=ACTOR)


def links() -> list[str]:
    """Paths of the pages that were mailed."""
    bodies = [str(message.body) for message in mail.outbox if isinstance(message, EmailMessage)]
    return [found for body in bodies for found in re.findall(r"http://127\.0\.0\.1:8080(/keep/[\w-]{32})\n", body)]


def mailed_link(user: User) -> str:
    leave(user)
    mail_keepsakes()
    return links()[-1]


# -- who is mailed --


def test_who_leaves_is_mailed_once(cast: Cast, certificate: Certificate) -> None:
    leave(cast.learner)
    assert OrmQ.objects.order_by("-id")[0].task["func"] == "certificates.keepsakes.mail_keepsakes"
    assert mail_keepsakes() == "Found 1 people who have left; mailed 1 links to certificates."
    assert mail_keepsakes() == "Found 0 people who have left; mailed 0 links to certificates."
    [message] = mail.outbox
    assert isinstance(message, EmailMessage)
    assert (message.to, message.subject) == ([cast.learner.email], "Your certificates from Nordlys Energy")
    [link] = links()
    assert Client().get(link).status_code == 200
    keepsake = Keepsake.objects.get()
    assert link.rpartition("/")[2].encode() not in bytes(keepsake.digest or b"")
    assert AuditEvent.objects.filter(type="keepsake_link_mailed", subject_id=cast.learner.id).count() == 1


def test_nobody_else_is(cast: Cast, certificate: Certificate) -> None:
    complete(cast.outsider, cast.outside_track)
    leave(cast.colleague)  # has none
    mail_keepsakes()
    assert not Keepsake.objects.exists()
    [revoked] = complete(cast.manager, cast.track).certificates
    [erased] = complete(cast.auditor, cast.track).certificates
    revoke(revoked.id, "x", actor=ACTOR)
    erase(erased.id, actor=ACTOR, reason="x")
    for who in (cast.manager, cast.auditor):
        leave(who)
    mail_keepsakes()
    assert mail.outbox == []


def test_who_left_before_it_was_recorded_is_not_surprised(cast: Cast, certificate: Certificate) -> None:
    User.objects.filter(id=cast.learner.id).update(is_active=False)
    mail_keepsakes()
    assert mail.outbox == []


def test_people_of_an_organization_that_closes(cast: Cast, certificate: Certificate) -> None:
    complete(cast.colleague, cast.track)
    leave(cast.colleague)
    mail_keepsakes()
    close_organization(cast.organization, actor=ACTOR, reason="x")
    mail_keepsakes()
    assert sorted(message.to[0] for message in mail.outbox) == sorted([cast.learner.email, cast.colleague.email])
    # Being deactivated afterwards is no second leaving.
    leave(cast.learner)
    mail_keepsakes()
    assert len(mail.outbox) == 2
    assert [Client().get(link).status_code for link in links()] == [200] * 2
    reopen_organization(cast.organization, actor=ACTOR, reason="x")
    assert [Client().get(link).status_code for link in links()] == [200] * 2


def test_coming_back_and_leaving_again(cast: Cast, certificate: Certificate) -> None:
    first = mailed_link(cast.learner)
    leave(cast.learner, active=True)
    assert mail_keepsakes().startswith("Found 0")
    assert Client().get(first).status_code == 200
    second = mailed_link(cast.learner)
    assert first != second
    assert [Client().get(link).status_code for link in (first, second)] == [200] * 2
    assert len(mail.outbox) == 2


def test_who_is_back_before_the_mail_gets_none(cast: Cast, certificate: Certificate) -> None:
    leave(cast.learner)
    keepsakes._owe()
    leave(cast.learner, active=True)
    mail_keepsakes()
    assert mail.outbox == []


def test_it_is_off_for_nobody(cast: Cast, certificate: Certificate, settings: Settings) -> None:
    settings.FEATURE_SWITCHES = dict.fromkeys(settings.FEATURE_SWITCHES, False)
    link = mailed_link(cast.learner)
    assert Client().get(f"{link}/{certificate.id}.pdf").status_code == 200


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_mail_is_in_her_language(cast: Cast, certificate: Certificate, language: str) -> None:
    User.objects.filter(id=cast.learner.id).update(locale=language)
    mailed_link(cast.learner)
    assert len({str(message.subject) for message in mail.outbox}) == 1
    assert ("Your certificates" in str(mail.outbox[0].subject)) is (language == "en")


# -- owed until it is mailed --


def fail(*arguments: Any, **options: Any) -> None:
    raise OSError("The mail server is away.")


def test_what_fails_is_tried_again_and_given_up_loudly(
    cast: Cast, certificate: Certificate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # What it is about is the mail server, which is not ours.
    monkeypatch.setattr(keepsakes, "send_mail", fail)
    leave(cast.learner)
    now = clock.now()
    mail_keepsakes()
    for pause in owed_mail.PAUSES:
        assert Keepsake.objects.get().due_at
        assert "giving up" not in caplog.text
        now += pause + timedelta(seconds=1)
        with clock.moved_to(now):
            mail_keepsakes()
    assert Keepsake.objects.get().due_at is None
    assert "failed 6 times, giving up" in caplog.text
    monkeypatch.undo()
    keepsakes.send(cast.learner, actor=ACTOR)
    mail_keepsakes()
    assert Client().get(links()[0]).status_code == 200


KILLED = """
from certificates import keepsakes
send, count = keepsakes.send_mail, 0
def die(*arguments, **options):
    global count
    count += 1
    if count == 2:
        os.kill(os.getpid(), signal.SIGKILL)
keepsakes.send_mail = die
keepsakes.mail_keepsakes()
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_while_mailing_it_goes_on() -> None:
    cast = make_cast()
    people = [make_user(cast.organization) for _ in range(3)]
    for person in people:
        complete(person, cast.track)
        leave(person)
    assert run_python(KILLED).returncode == -signal.SIGKILL
    assert mail_keepsakes() == "Found 0 people who have left; mailed 2 links to certificates."
    assert [Client().get(link).status_code for link in links()] == [200] * 2


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_many_workers_mail_each_once() -> None:
    cast = make_cast()
    people = [make_user(cast.organization) for _ in range(5)]
    for person in people:
        complete(person, cast.track)
        leave(person)
    at_once([mail_keepsakes] * 4)
    assert sorted(message.to[0] for message in mail.outbox) == sorted(person.email for person in people)


# -- the page and its files --


def test_the_page_lists_what_she_has(cast: Cast, certificate: Certificate) -> None:
    [revoked] = complete(cast.learner, make_track(cast.organization, title="Ladders")).certificates
    [erased] = complete(cast.learner, make_track(cast.organization, title="Forklifts")).certificates
    [others] = complete(cast.colleague, make_track(cast.organization, title="Cranes")).certificates
    revoke(revoked.id, "x", actor=ACTOR)
    erase(erased.id, actor=ACTOR, reason="x")
    link = mailed_link(cast.learner)
    answer = Client().get(link)
    page = answer.content.decode()
    for words in ("Fire Safety Fundamentals", "Valid", "Ladders", "Revoked", "Maya Lindqvist", certificate.printed_url):
        assert words in page
    assert f"{link}/{certificate.id}.pdf" in page
    assert f"{link}/{revoked.id}.pdf" not in page
    for words in ("Forklifts", "Cranes", str(others.id)):
        assert words not in page
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    client = Client()
    for other in (revoked, erased, others):
        for suffix in ("pdf", "zip"):
            assert client.get(f"{link}/{other.id}.{suffix}").status_code == 410
    assert client.get(f"{link}/x.pdf").status_code == 410
    assert client.post(link).status_code == 405
    assert [event.actor_label for event in AuditEvent.objects.filter(type="keepsake_link_used")] == ["keepsake link"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_in_each_language(cast: Cast, certificate: Certificate, language: str) -> None:
    page = Client().get(f"{mailed_link(cast.learner)}?lang={language}").content.decode()
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
    assert ("Your certificates" in page) is (language == "en")
    assert page.count("<h1>") == 1
    assert len(re.findall(r' id="([^"]+)"', page)) == len(set(re.findall(r' id="([^"]+)"', page)))


def test_the_pdf_is_the_one_that_was_issued(cast: Cast, certificate: Certificate) -> None:
    link = mailed_link(cast.learner)
    answer = Client().get(f"{link}/{certificate.id}.pdf")
    assert (answer.status_code, answer.content) == (200, pdf_of(certificate.id)[0])
    assert answer["Content-Disposition"] == f'attachment; filename="certificate-{certificate.id}.pdf"'
    assert Client().head(f"{link}/{certificate.id}.pdf").status_code == 200
    assert kpis.totals()["certificates_downloaded"] == 1
    [event] = AuditEvent.objects.filter(type="certificate_downloaded")
    assert (event.actor_kind, event.actor_label) == ("anonymous", "keepsake link")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_bundle_checks_without_us(cast: Cast, certificate: Certificate, language: str) -> None:
    User.objects.filter(id=cast.learner.id).update(locale=language)
    answer = Client().get(f"{mailed_link(cast.learner)}/{certificate.id}.zip")
    assert answer["Content-Disposition"] == f'attachment; filename="certificate-{certificate.id}.zip"'
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    names = ["README.txt", "certificate.pdf", "credential.json", "did.json", "status-list.json"]
    assert archive.namelist() == names
    files = {name: archive.read(name) for name in names}
    assert files["certificate.pdf"] == pdf_of(certificate.id)[0]
    credential, did, status = (json.loads(files[name]) for name in names[2:])
    methods = {method["id"]: method["publicKeyMultibase"] for method in did["verificationMethod"]}
    assert did["id"] == credential["issuer"]["id"]
    public_key = bytes(certificate.credential.key.public_key)
    for document in (credential, status):
        assert methods[document["proof"]["verificationMethod"]] == proofs.multikey(public_key)
        digest = proofs.digest(document, document["proof"])
        assert proofs.verifies(public_key, digest, document["proof"]["proofValue"])
    assert credential["credentialStatus"]["statusListCredential"] == status["id"]
    readme = files["README.txt"].decode()
    assert certificate.printed_url in readme
    assert "Fire Safety Fundamentals" in readme
    assert ("As of" in readme) is (language == "en")
    assert verify_credential(files["credential.json"]).is_genuine
    assert verify_pdf(files["certificate.pdf"]).is_genuine
    assert AuditEvent.objects.filter(type="credential_downloaded").count() == 1


def test_after_a_compromise_the_bundle_has_the_new_key(cast: Cast, certificate: Certificate) -> None:
    link = mailed_link(cast.learner)
    keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="x")
    archive = zipfile.ZipFile(io.BytesIO(Client().get(f"{link}/{certificate.id}.zip").content))
    assert str(certificate.credential.key_id) not in archive.read("did.json").decode()


@pytest.mark.parametrize("secret", ["x", "%ff", "ü", "x" * 3000])
def test_links_that_nobody_has(cast: Cast, certificate: Certificate, secret: str) -> None:
    for path in (f"/keep/{secret}", f"/keep/{secret}/{certificate.id}.pdf", f"/keep/{secret}/{certificate.id}.zip"):
        answer = Client().get(path)
        assert answer.status_code == 404
        assert "Unknown link" in answer.content.decode()


def test_links_are_rate_limited(settings: Settings, certificate: Certificate) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"verification": "2/hour"}
    client = Client(REMOTE_ADDR="192.0.2.78")
    assert [client.get("/keep/x").status_code for _ in range(3)] == [404, 404, 429]


# -- sent again, and withdrawn --


def test_an_admin_withdraws_it_and_sends_another(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/learners/{cast.learner.id}/keepsake-link"
    assert api.post(path, by=cast.admin).status == 409
    first = mailed_link(cast.learner)
    assert api.delete(path, by=cast.admin).status == 204
    assert api.delete(path, by=cast.admin).status == 204
    assert [Client().get(each).status_code for each in (first, f"{first}/{certificate.id}.pdf")] == [410] * 2
    mail_keepsakes()
    assert len(mail.outbox) == 1
    sent = api.post(path, by=cast.admin)
    assert (sent.status, sent.body["learnerId"]) == (202, str(cast.learner.id))
    mail_keepsakes()
    assert [Client().get(link).status_code for link in links()] == [404, 200]
    types = ("keepsake_link_requested", "keepsake_link_withdrawn")
    assert [AuditEvent.objects.filter(type=type_).count() for type_ in types] == [1, 1]


def test_the_old_link_works_until_the_new_one_is_mailed(cast: Cast, certificate: Certificate) -> None:
    first = mailed_link(cast.learner)
    keepsakes.send(cast.learner, actor=ACTOR)
    assert Client().get(first).status_code == 200
    mail_keepsakes()
    assert Client().get(first).status_code == 404


def test_who_left_before_it_was_recorded_is_sent_one(api: Api, cast: Cast, certificate: Certificate) -> None:
    User.objects.filter(id=cast.learner.id).update(is_active=False)
    for _ in range(2):
        assert api.post(f"/learners/{cast.learner.id}/keepsake-link", by=cast.admin).status == 202
    mail_keepsakes()
    assert len(links()) == Keepsake.objects.count() == 1


def test_who_may(api: Api, cast: Cast, certificate: Certificate) -> None:
    leave(cast.colleague)
    path = f"/learners/{cast.learner.id}/keepsake-link"
    for call in (api.post, api.delete):
        assert call(path).status == 401
        for who in (cast.learner, cast.manager, cast.auditor, cast.outsider):
            assert call(path, by=who).status == 403
        assert call(path, by=cast.outside_admin).status == 404
        assert call(path, x_admin_token="dev-admin-token-12345").status == 403
        assert call(f"/learners/{uuid4()}/keepsake-link", by=cast.admin).status == 404
    assert api.post(path, {"x": 1}, by=cast.admin).status == 400
    assert api.post(f"/learners/{cast.colleague.id}/keepsake-link", by=cast.admin).status == 409


def test_erasing_ends_it(cast: Cast, certificate: Certificate, media: Path) -> None:
    link = mailed_link(cast.learner)
    erase_learner(cast.learner.id, actor=ACTOR, reason="x")
    assert Client().get(link).status_code == 410
    leave(cast.learner, active=True)
    leave(cast.learner)
    mail_keepsakes()
    assert len(mail.outbox) == 1


def test_staff_send_and_withdraw_it_in_the_admin(console: Client, cast: Cast, certificate: Certificate) -> None:
    page = action_of(cast.learner, "send-keepsake").replace("send-keepsake/", "change/")
    shown = console.get(page).content.decode()
    assert "send-keepsake" not in shown
    link = mailed_link(cast.learner)
    shown = console.get(page).content.decode()
    assert "send-keepsake" in shown
    assert "withdraw-keepsake" in shown
    assert console.get(action_of(cast.learner, "withdraw-keepsake")).status_code == 200
    assert console.post(action_of(cast.learner, "withdraw-keepsake"), {}).status_code == 302
    assert Client().get(link).status_code == 410
    assert console.post(action_of(cast.learner, "send-keepsake"), {}).status_code == 302
    mail_keepsakes()
    assert Client().get(links()[-1]).status_code == 200
    labels = AuditEvent.objects.filter(type__in=["keepsake_link_requested", "keepsake_link_withdrawn"])
    assert {event.actor_label for event in labels} == {"staff"}
