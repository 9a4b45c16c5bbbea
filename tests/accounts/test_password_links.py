"""Password links: owed until the mail server has taken them, to each person for herself."""

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.message import EmailMessage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.module_loading import import_string
from django_q.models import OrmQ
from pytest_django import Settings

from audit.models import AuditEvent
from cerply import clock
from cerply.accounts import passwords
from cerply.accounts.models import Organization, OwedLink, User
from ops import owed_mail
from tests.api.client import Api
from tests.factories import Cast, make_cast, make_organization, make_staff, make_user
from tests.mail_server import MailServer, mail_server
from tests.processes import run_python
from tests.threads import at_once


def work() -> None:
    """Does what was enqueued, as the worker would."""
    for row in OrmQ.objects.order_by("id"):
        import_string(row.task["func"])(*row.task["args"])
        row.delete()


def recipients() -> list[str]:
    return sorted(address for message in mail.outbox for address in message.to)


def test_who_asks_gets_a_link_that_works(api: Api, cast: Cast) -> None:
    answer = api.post("/auth/password-link", {"email": cast.learner.email.upper()}, x_request_id="asked-1")
    assert (answer.status, answer.body) == (202, {"ok": True})
    assert mail.outbox == []
    work()
    [message] = mail.outbox
    assert isinstance(message, EmailMessage)
    assert message.to == [cast.learner.email]
    assert "Nordlys Energy" in message.subject
    [link] = [line for line in str(message.body).splitlines() if line.startswith("http")]
    assert "Choose a password" in Client().get(link.partition("127.0.0.1:8080")[2], follow=True).content.decode()
    [event] = AuditEvent.objects.filter(type="password_link_requested", subject_id=cast.learner.id)
    assert event.request_id == "asked-1"
    assert not OwedLink.objects.exists()


def test_the_answer_and_its_steps_tell_nothing(api: Api, cast: Cast) -> None:
    def steps(email: str) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            assert api.post("/auth/password-link", {"email": email}).body == {"ok": True}
        return [" ".join(query["sql"].split()[: 3 if query["sql"].startswith("INSERT") else 1]) for query in queries]

    assert steps(cast.learner.email) == steps("nobody@example.com")
    work()
    assert recipients() == [cast.learner.email]
    assert not OwedLink.objects.exists()


def test_everybody_with_the_address_gets_one_who_may_come_in(api: Api, cast: Cast) -> None:
    email = cast.learner.email
    make_user(cast.outside, email=email)
    make_user(make_organization("Closed", closed_at=clock.now()), email=email)
    make_user(make_organization(), email=email, is_active=False)
    make_staff(email=email)
    api.post("/auth/password-link", {"email": email})
    work()
    assert recipients() == [email] * 3
    assert len({message.subject for message in mail.outbox}) == 3


def test_who_is_deactivated_or_closed_out_meanwhile_gets_none(api: Api, cast: Cast) -> None:
    OwedLink.objects.bulk_create(OwedLink(email=user.email, user=user) for user in (cast.learner, cast.outsider))
    User.objects.filter(id=cast.learner.id).update(is_active=False)
    Organization.objects.filter(id=cast.outside.id).update(closed_at=clock.now())
    assert passwords.mail_owed() == "Mailed 0 links."
    assert (mail.outbox, OwedLink.objects.count()) == ([], 0)


def test_staff_send_one_to_whom_they_chose(cast: Cast) -> None:
    make_user(cast.outside, email=cast.learner.email)
    console = Client()
    console.force_login(make_staff())
    console.post(f"/admin/accounts/user/{cast.learner.id}/password-link/", {})
    work()
    [message] = mail.outbox
    assert "Nordlys Energy" in message.subject
    assert AuditEvent.objects.get(type="password_link_requested").actor_label == "staff"


# -- a mail server that refuses --


@pytest.fixture
def peer(settings: Settings) -> Iterator[MailServer]:
    with mail_server(settings) as server:
        yield server


def test_what_the_mail_server_refuses_is_owed_and_mailed_later(api: Api, cast: Cast, peer: MailServer) -> None:
    now = clock.now()
    with clock.moved_to(now):
        api.post("/auth/password-link", {"email": cast.learner.email})
        peer.on_recipient = lambda address: "451 Try again later"
        work()
        assert (peer.recipients, OwedLink.objects.get().attempts) == ([], 1)
        peer.on_recipient = lambda address: "250 OK"
        assert passwords.mail_owed() == "Mailed 0 links."
    with clock.moved_to(now + owed_mail.PAUSES[0]):
        assert passwords.mail_owed() == "Mailed 1 links."
    assert peer.recipients == [cast.learner.email]
    assert not OwedLink.objects.exists()
    assert AuditEvent.objects.filter(type="password_link_requested").count() == 1


def test_one_whom_the_mail_server_refuses_holds_up_nobody_else(api: Api, cast: Cast, peer: MailServer) -> None:
    email = cast.learner.email
    for organization in (cast.outside, make_organization()):
        make_user(organization, email=email)
    answers = iter(["451 Try again later", "250 OK", "250 OK", "250 OK"])
    peer.on_recipient = lambda address: next(answers)
    now = clock.now()
    with clock.moved_to(now):
        api.post("/auth/password-link", {"email": email})
        work()
        assert peer.recipients == [email] * 2
    with clock.moved_to(now + owed_mail.PAUSES[0]):
        passwords.mail_owed()
    assert peer.recipients == [email] * 3
    assert not OwedLink.objects.exists()


def test_after_some_tries_it_is_given_up_loudly(
    api: Api, cast: Cast, peer: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    peer.on_recipient = lambda address: "550 No such mailbox"
    api.post("/auth/password-link", {"email": cast.learner.email})
    work()
    moment = clock.now()
    for pause in owed_mail.PAUSES:
        assert OwedLink.objects.exists()
        assert not [line for line in caplog.records if line.levelno >= logging.ERROR]
        moment += pause
        with clock.moved_to(moment):
            passwords.mail_owed()
    assert not OwedLink.objects.exists()
    [line] = [line for line in caplog.records if line.levelno >= logging.ERROR]
    assert f"password link for {cast.learner.id} failed {len(owed_mail.PAUSES) + 1} times, giving up" in line.message
    assert cast.learner.email not in line.message.partition("giving up")[0]


def test_after_a_day_it_is_given_up_loudly(cast: Cast, peer: MailServer, caplog: pytest.LogCaptureFixture) -> None:
    peer.on_recipient = lambda address: "451 Try again later"
    OwedLink.objects.create(user=cast.learner, requested_at=clock.now() - timedelta(hours=24))
    passwords.mail_owed()
    assert not OwedLink.objects.exists()
    assert "failed 1 times, giving up" in caplog.text


def test_a_mail_server_that_is_not_there_loses_nothing(api: Api, cast: Cast, settings: Settings) -> None:
    options = {"host": "127.0.0.1", "port": 1, "timeout": 20}
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
    api.post("/auth/password-link", {"email": cast.learner.email})
    work()
    assert OwedLink.objects.get().user == cast.learner


# -- many workers, and one that is killed --


@pytest.mark.django_db(transaction=True)
def test_many_workers_mail_each_link_once(peer: MailServer) -> None:
    organization = make_cast().organization
    people = [make_user(organization) for _ in range(10)]
    OwedLink.objects.bulk_create(OwedLink(email=user.email, user=user) for user in people)
    at_once([passwords.mail_owed] * 4)
    assert Counter(peer.recipients) == {user.email: 1 for user in people}
    assert not OwedLink.objects.exists()


KILLED = """
from cerply.accounts import passwords

passwords.send_mail = lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL)
passwords.mail_owed()
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_leaves_it_owed() -> None:
    learner = make_cast().learner
    OwedLink.objects.create(user=learner, email=learner.email)
    assert run_python(KILLED).returncode == -9
    assert passwords.mail_owed() == "Mailed 1 links."
    assert recipients() == [learner.email]
