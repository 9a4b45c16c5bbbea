"""Heads of the audit go outside once a day: to the right people, once each, whatever the mail server does."""

from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from audit.heads import Head
from audit.models import NO_ORGANIZATION
from cerply import clock
from cerply.accounts.models import HeadMail
from cerply.accounts.witnessing import mail_heads, witnesses
from cerply.permissions import Role
from tests.audit.evidence import newest, record_and_seal
from tests.console import page_of
from tests.factories import Cast, make_cast, make_user
from tests.mail_server import mail_server
from tests.processes import run_python
from tests.threads import at_once


def recipients() -> list[str]:
    return [address for message in mail.outbox for address in message.to]


def test_the_newest_head_goes_to_the_auditors_each_day_that_brings_something(cast: Cast) -> None:
    record_and_seal(3, cast.organization.id)
    head = Head.of(newest(cast.organization.id))
    assert mail_heads() == "Owed 1 heads, mailed 1."
    assert recipients() == [cast.auditor.email]
    [message] = mail.outbox
    assert message.subject == "Head 1 of the audit of Nordlys Energy"
    assert str(head) in message.body.splitlines()
    call_command("verify_audit", head=[str(head)])
    record_and_seal(1, cast.organization.id)
    assert mail_heads() == "Owed 0 heads, mailed 0."
    with clock.moved_to(clock.now() + timedelta(days=1)):
        assert mail_heads() == "Owed 1 heads, mailed 1."
    with clock.moved_to(clock.now() + timedelta(days=2)):
        assert mail_heads() == "Owed 0 heads, mailed 0."
    assert f"{cast.organization.id}/2/" in mail.outbox[1].body


def test_it_goes_to_the_addresses_that_the_organization_has_named(cast: Cast, settings: Settings) -> None:
    settings.AUDIT_HEADS_TO = ["witness@notary.example"]
    cast.organization.audit_addresses = ["audit@nordlys.example", "audit@nordlys.example", "board@nordlys.example"]
    cast.organization.save()
    record_and_seal(1, cast.organization.id)
    mail_heads()
    assert sorted(recipients()) == ["audit@nordlys.example", "board@nordlys.example", "witness@notary.example"]
    assert str(Head.of(newest(NO_ORGANIZATION))) in next(
        message.body for message in mail.outbox if message.to == ["witness@notary.example"]
    )


def test_nobody_else_gets_any(cast: Cast) -> None:
    auditor = make_user(cast.outside, Role.AUDITOR)
    gone = make_user(cast.organization, Role.AUDITOR, is_active=False)
    record_and_seal(1, cast.organization.id)
    mail_heads()
    assert recipients() == [cast.auditor.email]
    cast.outside.closed_at = clock.now()
    cast.outside.audit_addresses = ["x@example.com"]
    cast.outside.save()
    assert cast.outside.id not in witnesses()
    assert not {auditor.email, gone.email} & set(recipients())


def test_staff_name_the_addresses_in_the_admin(console: Client, cast: Cast) -> None:
    page = page_of(type(cast.organization), "change", cast.organization.id)
    fields = {"name": "Nordlys Energy", "colour": "#1f4e79"}
    console.post(page, {**fields, "audit_addresses": "audit@nordlys.example,not an address"})
    cast.organization.refresh_from_db()
    assert cast.organization.audit_addresses == []
    assert console.post(page, {**fields, "audit_addresses": "audit@nordlys.example"}).status_code == 302
    cast.organization.refresh_from_db()
    assert cast.organization.audit_addresses == ["audit@nordlys.example"]


def test_staff_see_what_was_mailed(console: Client, cast: Cast) -> None:
    record_and_seal(1, cast.organization.id)
    mail_heads()
    row = HeadMail.objects.get()
    for query in (cast.auditor.email, cast.organization.id, ""):
        assert row.head in console.get(page_of(HeadMail, "changelist"), {"q": str(query)}).content.decode()
    assert row.head not in console.get(page_of(HeadMail, "changelist"), {"q": str(uuid4())}).content.decode()
    assert console.get(page_of(HeadMail, "change", row.id)).status_code == 200
    assert console.post(page_of(HeadMail, "change", row.id), {}).status_code == 403


def test_what_was_mailed_is_forgotten_after_a_year(cast: Cast) -> None:
    record_and_seal(1, cast.organization.id)
    with clock.moved_to(clock.now() - timedelta(days=366)):
        mail_heads()
    mail_heads()
    assert not HeadMail.objects.exists()


def test_a_server_that_is_busy_gets_it_later(cast: Cast, settings: Settings) -> None:
    record_and_seal(1, cast.organization.id)
    with mail_server(settings) as server:
        server.on_recipient = lambda address: "451 Try again later"
        assert mail_heads() == "Owed 1 heads, mailed 0."
        server.on_recipient = lambda address: "250 OK"
        assert mail_heads() == "Owed 0 heads, mailed 0."
        with clock.moved_to(clock.now() + timedelta(minutes=2)):
            assert mail_heads() == "Owed 0 heads, mailed 1."
        assert server.recipients == [cast.auditor.email]


@pytest.mark.django_db(transaction=True)
def test_many_workers_mail_each_once(settings: Settings) -> None:
    cast = make_cast()
    auditors = [make_user(cast.organization, Role.AUDITOR) for _ in range(5)]
    record_and_seal(1, cast.organization.id)
    with mail_server(settings) as server:
        at_once([mail_heads] * 4)
        assert Counter(server.recipients) == {user.email: 1 for user in [*auditors, cast.auditor]}


KILLED = """
from cerply.accounts import witnessing

witnessing.send_mail = lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL)
witnessing.mail_heads()
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_leaves_it_owed() -> None:
    cast = make_cast()
    record_and_seal(1, cast.organization.id)
    assert run_python(KILLED).returncode == -9
    with clock.moved_to(clock.now() + timedelta(minutes=2)):
        assert mail_heads() == "Owed 0 heads, mailed 1."
    assert recipients() == [cast.auditor.email]
