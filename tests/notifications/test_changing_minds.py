"""Managers who say something else at the very moment at which the job is at work for them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from django.core import mail
from django.db import transaction
from pytest_django import Settings

from cerply import clock
from cerply.accounts.models import User
from cerply.permissions import Role
from notifications import delivery, preferring
from notifications.collecting import collect
from notifications.models import Delivery, OutgoingMail
from tests.factories import ACTOR, Cast, make_cast, make_team, make_user
from tests.mail_server import MailServer, mail_server
from tests.notifications.events import happen, outcome, prefer, subscription_of
from tests.threads import closing, meanwhile

# A Tuesday.
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def run(minutes: float) -> None:
    with clock.moved_to(NOON + timedelta(minutes=minutes)):
        delivery.mail_owed()


def say(cast: Cast, frequency: str, minutes: float) -> None:
    with clock.moved_to(NOON + timedelta(minutes=minutes)):
        values = {"frequency": frequency, "types": ["badge"], "timezone": "UTC"}
        preferring.prefer(cast.manager, values, actor=ACTOR)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("before", "after", "sent"), [("weekly", "immediate", 1), ("immediate", "weekly", 0), ("immediate", "off", 0)]
)
def test_what_she_says_while_it_is_collected_counts(before: str, after: str, sent: int) -> None:
    cast = make_cast()
    prefer(cast.manager, before)
    row = happen(cast.learner, "badge", NOON)

    def look() -> int:
        with clock.moved_to(NOON + timedelta(minutes=3)):
            return collect()

    with transaction.atomic():
        say(cast, after, 3)
        looking = meanwhile(look)
    looking.result()
    for minute in (4, 5, 6):
        run(minute)
    assert len(mail.outbox) == sent
    assert outcome(row)[0] == {"immediate": "sent", "weekly": "waiting", "off": "withheld"}[after]
    run(6 * 24 * 60)
    assert len(mail.outbox) == (after != "off")


@pytest.mark.django_db(transaction=True)
def test_who_unsubscribes_while_it_is_collected_and_the_job_do_not_wait_for_each_other() -> None:
    cast = make_cast()
    row = happen(cast.learner, "badge", NOON)
    subscription = subscription_of(cast.manager)
    with transaction.atomic(), clock.moved_to(NOON + timedelta(minutes=3)):
        Delivery.objects.hold([cast.manager.id])
        unsubscribing = meanwhile(lambda: preferring.unsubscribe(subscription, actor=ACTOR))
        assert collect() == 1
    assert unsubscribing.result()
    run(4)
    assert (mail.outbox, outcome(row)) == ([], ("withheld", "unsubscribed"))


@pytest.mark.django_db(transaction=True)
def test_who_decides_for_all_and_who_sends_do_not_wait_for_each_other() -> None:
    """She gets hold of what has waited one by one, and some of it is in a mail by then."""
    cast = make_cast()
    other = make_user(cast.organization, Role.MANAGER)
    make_team(cast.organization, [cast.colleague], [other])
    # In the order in which they are held, which is not that in which they happened.
    happen(cast.learner, "badge", NOON + timedelta(seconds=1))
    between = happen(cast.colleague, "badge", NOON)
    happen(cast.learner, "certificate", NOON)
    Delivery.objects.filter(notification=between).update(due_at=NOON + timedelta(days=1))
    held, let_go = Event(), Event()

    def hold_what_is_between() -> None:
        with transaction.atomic():
            Delivery.objects.hold([other.id])
            held.set()
            let_go.wait(60)

    def decide() -> None:
        values = {"frequency": "immediate", "types": ["badge", "certificate"]}
        preferring.decide_policy(cast.organization.id, values, actor=ACTOR)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(closing(hold_what_is_between))
        held.wait(60)
        with transaction.atomic(), clock.moved_to(NOON + timedelta(minutes=3)):
            Delivery.objects.hold([cast.manager.id])
            deciding = meanwhile(decide)
            assert collect() == 1
        User.objects.filter(id=cast.manager.id).update(is_active=False)
        sending = meanwhile(lambda: run(4))
        let_go.set()
        for each in (holding, deciding, sending):
            each.result()
    assert [(each.state, each.tries) for each in OutgoingMail.objects.all()] == [("dropped", 1)]


@pytest.mark.parametrize("after", ["weekly", "daily"])
def test_what_she_may_have_got_already_is_not_in_a_digest_as_well(cast: Cast, settings: Settings, after: str) -> None:
    """The server took it, and hung up before it said so: it goes out again as it was, for mailboxes know its name."""
    row = happen(cast.learner, "badge", NOON)
    happen(cast.learner, "level_up", NOON - timedelta(minutes=1))
    with mail_server(settings) as server:
        server.on_taken = lambda: MailServer.DROP
        run(3)
        say(cast, after, 4)
        server.on_taken = lambda: "250 OK"
        for minute in (5, 6, 24 * 60, 8 * 24 * 60):
            run(minute)
    assert len(server.taken) == 2
    assert len({str(message["Message-ID"]) for message in server.taken}) == 1
    assert outcome(row) == ("sent", "")
