"""Mail servers that refuse, hang, drop and come back: what is owed stays owed, and goes out once."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.models import User
from cerply.errors import Conflict
from cerply.permissions import Role
from notifications import collecting, delivery
from notifications.models import OutgoingMail, SuppressedAddress
from notifications.preferring import unsubscribe_token
from ops import outbox
from tests.factories import ACTOR, Cast, make_team, make_user
from tests.mail_server import MailServer, mail_server, name_server, silent_server
from tests.notifications.events import happen, outcome

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LONG_HOST = "notifications.of.cerply.and.of.nobody.else.example.com"


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    with mail_server(settings) as server:
        yield server


@pytest.fixture
def managers(cast: Cast) -> list[User]:
    """Five, who all hear of the learner."""
    others = [make_user(cast.organization, Role.MANAGER, email=f"manager{number}@example.com") for number in range(4)]
    make_team(cast.organization, [cast.learner], others)
    return [cast.manager, *others]


def run(hours: float = 1) -> str:
    with clock.moved_to(NOON + timedelta(hours=hours)):
        return delivery.mail_owed()


def run_for_a_day() -> None:
    """Each quarter of an hour."""
    for quarter in range(4, 100):
        run(quarter / 4)


def test_many_go_out_over_one_connection_and_arrive_whole(cast: Cast, managers: list[User], server: MailServer) -> None:
    User.objects.filter(id=cast.manager.id).update(locale="ar")
    happen(cast.learner, "level_up", NOON)
    run()
    assert sorted(server.recipients) == sorted(manager.email for manager in managers)
    assert server.connections == 1
    [message] = server.to(cast.manager.email)
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert "الوصول إلى المستوى" in text.get_content()
    assert "الوصول إلى المستوى" in str(message["Subject"])
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert str(message["List-Unsubscribe"]).startswith("<http://127.0.0.1:8080/unsubscribe/")
    assert str(message["Message-ID"]).endswith("@127.0.0.1>")


def test_headers_that_programs_read_are_not_encoded(cast: Cast, server: MailServer, settings: Settings) -> None:
    settings.PUBLIC_URL, settings.PUBLIC_HOST = f"https://{LONG_HOST}", LONG_HOST
    row = happen(cast.learner, "badge", NOON)
    run()
    link = f"https://{LONG_HOST}/unsubscribe/{unsubscribe_token(cast.manager.id)}"
    thread = f"<{cast.learner.id}.{cast.manager.id}@{LONG_HOST}>"
    lines = server.raw[0].decode().split("\r\n")
    assert {
        f"List-Unsubscribe: <{link}>",
        f"Message-ID: <{row.id}@{LONG_HOST}>",
        f"In-Reply-To: {thread}",
        f"References: {thread}",
    } <= set(lines)


def test_one_recipient_who_is_refused_keeps_nobody_waiting(
    cast: Cast, managers: list[User], server: MailServer
) -> None:
    refused = managers[2]
    server.on_recipient = lambda address: "550 5.7.1 Not from you" if address == refused.email else "250 OK"
    happen(cast.learner, "badge", NOON)
    run()
    assert sorted(server.recipients) == sorted(manager.email for manager in managers if manager != refused)
    mail = OutgoingMail.objects.get(recipient=refused)
    assert (mail.state, mail.tries, mail.error) == ("dead", 1, "550 5.7.1 Not from you")
    assert not SuppressedAddress.objects.exists()
    assert mail.deliveries.get().reason == "gave_up"


def test_a_mailbox_that_does_not_exist_is_not_written_to_again(cast: Cast, server: MailServer) -> None:
    server.on_recipient = lambda address: f"550 5.1.1 <{address.upper()}> unknown"
    first = happen(cast.learner, "badge", NOON)
    run()
    assert outcome(first) == ("withheld", "bounce")
    assert OutgoingMail.objects.get().error == "550 5.1.1 <…> unknown"
    assert SuppressedAddress.objects.get().address == cast.manager.email
    event = AuditEvent.objects.get(type="address_suppressed")
    assert (event.subject_id, event.metadata) == (cast.manager.id, {"why": "bounce"})
    second = happen(cast.learner, "certificate", NOON + timedelta(hours=2))
    connections = server.connections
    run(3)
    assert (outcome(second), server.connections) == (("withheld", "bounce"), connections)


@pytest.mark.parametrize("answer", ["450 4.2.1 Try again later", "451 4.3.0 Out of order"])
def test_what_is_put_off_is_tried_again_and_arrives_once(cast: Cast, server: MailServer, answer: str) -> None:
    server.on_recipient = lambda address: answer
    row = happen(cast.learner, "badge", NOON)
    run()
    mail = OutgoingMail.objects.get()
    assert (mail.state, mail.tries, mail.error) == ("due", 1, f"NotNow: {answer}")
    assert mail.due_at == NOON + timedelta(hours=1, minutes=1)
    server.on_recipient = lambda address: "250 OK"
    run(1 + 0.9 / 60)
    assert server.taken == []
    run(1 + 1 / 60)
    run(2)
    assert (len(server.taken), outcome(row)) == (1, ("sent", ""))


def test_after_so_many_tries_it_is_given_up_where_staff_sees_it_and_can_be_sent_again(
    cast: Cast, server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.on_data = lambda: "451 4.3.0 Out of order"
    row = happen(cast.learner, "badge", NOON)
    with caplog.at_level(logging.WARNING):
        run_for_a_day()
    mail = OutgoingMail.objects.get()
    assert (mail.state, mail.tries, outcome(row)) == ("dead", 6, ("withheld", "gave_up"))
    assert [record.levelname for record in caplog.records if record.name == "ops.outbox"] == ["WARNING"] * 5 + ["ERROR"]
    server.on_data = lambda: "250 OK"
    with clock.moved_to(NOON + timedelta(days=2)):
        delivery.send_again(mail.id, actor=ACTOR)
        assert outcome(row) == ("mailing", "")
        delivery.mail_owed()
        with pytest.raises(Conflict):
            delivery.send_again(mail.id, actor=ACTOR)
    assert (len(server.taken), outcome(row)) == (1, ("sent", ""))
    assert AuditEvent.objects.filter(type="mail_revived", subject_id=mail.id).count() == 1


def test_a_connection_that_drops_in_the_middle_takes_one_mail_with_it(
    cast: Cast, managers: list[User], server: MailServer
) -> None:
    answers = iter(["250 OK", MailServer.DROP])
    server.on_data = lambda: next(answers, "250 OK")
    happen(cast.learner, "badge", NOON)
    run()
    assert (len(server.taken), server.connections) == (4, 2)
    [mail] = OutgoingMail.objects.filter(state="due")
    assert mail.error.startswith("NotNow: SMTPServerDisconnected")
    run(2)
    assert sorted(server.recipients) == sorted(manager.email for manager in managers)


def test_one_that_drops_after_it_has_taken_it_gets_it_again_under_the_same_name(cast: Cast, server: MailServer) -> None:
    answers = iter([MailServer.DROP])
    server.on_taken = lambda: next(answers, "250 OK")
    row = happen(cast.learner, "badge", NOON)
    run()
    run(2)
    run(3)
    assert len(server.taken) == 2
    assert {str(message["Message-ID"]) for message in server.taken} == {f"<{row.id}@127.0.0.1>"}
    # Nothing that the first one says was taken back with its try.
    links = {str(message["List-Unsubscribe"])[1:-1] for message in server.taken}
    assert [Client().get(link).status_code for link in links] == [200]


def test_one_that_takes_two_mails_over_a_connection_gets_the_rest_over_others(
    cast: Cast, managers: list[User], server: MailServer
) -> None:
    server.most_per_connection = 2
    happen(cast.learner, "badge", NOON)
    run()
    assert len(server.taken) >= 3
    run(2)
    assert sorted(server.recipients) == sorted(manager.email for manager in managers)


@pytest.mark.parametrize("how", ["closed", "silent"])
def test_where_nobody_answers_everything_waits_and_no_try_is_lost(
    cast: Cast, managers: list[User], settings: Settings, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    happen(cast.learner, "badge", NOON)
    if how == "silent":
        with silent_server(settings):
            said = run()
    else:
        name_server(settings, port=1)
        for quarter in range(4, 40):
            said = run(quarter / 4)
    assert said.endswith("the mail server takes nothing.")
    assert [record.levelname for record in caplog.records if record.name == "notifications.delivery"][0] == "ERROR"
    assert set(OutgoingMail.objects.values_list("state", "tries")) == {("due", 0)}
    with mail_server(settings) as server:
        run(20)
    assert sorted(server.recipients) == sorted(manager.email for manager in managers)


def test_one_that_wants_none_of_our_mail_takes_no_tries_either(cast: Cast, settings: Settings) -> None:
    happen(cast.learner, "badge", NOON)
    with mail_server(settings) as server:
        settings.MAILERS["default"]["OPTIONS"] |= {"username": "cerply", "password": "wrong"}
        assert run().endswith("the mail server takes nothing.")
        assert (OutgoingMail.objects.get().tries, server.taken) == (0, [])


def test_an_address_that_cannot_be_written_to_is_given_up(cast: Cast, server: MailServer) -> None:
    User.objects.filter(id=cast.manager.id).update(email="tomás@example.com")
    row = happen(cast.learner, "badge", NOON)
    run()
    assert outcome(row) == ("withheld", "gave_up")
    assert "tomás" not in OutgoingMail.objects.get().error


def test_what_kills_its_worker_each_time_is_given_up(cast: Cast, server: MailServer) -> None:
    row = happen(cast.learner, "badge", NOON)
    with clock.moved_to(NOON + timedelta(hours=1)):
        collecting.collect()
    OutgoingMail.objects.update(tries=6)
    run()
    mail = OutgoingMail.objects.get()
    assert (mail.state, mail.error, outcome(row)) == ("dead", outbox.INTERRUPTED, ("withheld", "gave_up"))
    assert server.taken == []


def test_a_run_ends_in_time_for_the_next(
    cast: Cast, managers: list[User], server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(cast.learner, "badge", NOON)
    monkeypatch.setattr(outbox, "LONGEST_RUN", 0)
    run()
    assert server.taken == []
    monkeypatch.undo()
    run()
    assert len(server.taken) == len(managers)
