"""The worker is killed at each step of collecting and sending, and the mailbox compared with the books."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from cerply.accounts.models import User
from cerply.permissions import Role
from notifications.models import Delivery, OutgoingMail
from notifications.preferring import subscriber
from tests.factories import make_organization, make_team, make_user
from tests.mail_server import MailServer, mail_server
from tests.notifications.events import happen, prefer
from tests.notifications.mortal_workers import EVERY_STEP, IN_HAND, Order, Workers, workers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
KILLED = -signal.SIGKILL


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    with mail_server(settings) as server:
        yield server


@pytest.fixture(scope="module")
def living(django_db_setup: None) -> Iterator[Workers]:
    with workers() as living:
        yield living


def make_managers(noon: datetime, *frequencies: str) -> list[User]:
    """Each with two people, of whom there is something to tell at noon and a second later."""
    organization = make_organization()
    managers = []
    for frequency in frequencies:
        manager, learners = make_user(organization, Role.MANAGER), [make_user(organization) for _ in range(2)]
        make_team(organization, learners, [manager])
        prefer(manager, frequency, types=["badge"])
        for second, learner in enumerate(learners):
            happen(learner, "badge", noon + timedelta(seconds=second))
        happen(learners[0], "level_up", noon)
        managers.append(manager)
    return managers


def taken_for(manager: User, server: MailServer) -> list[str]:
    """The names of messages: a repetition bears that of what it repeats."""
    return [str(message["Message-ID"]) for message in server.to(manager.email)]


def compare(managers: list[User], server: MailServer, repetitions: int, of: str = "") -> None:
    """Each has one mail with what she wants in it, and the books say so; so many copies more are in the mailbox."""
    copies = 0
    for manager in managers:
        [mail] = OutgoingMail.objects.filter(recipient=manager)
        taken = taken_for(manager, server)
        copies += len(taken)
        assert (mail.state, set(taken)) == ("sent", {mail.message_id}), of
        outcomes = Delivery.objects.filter(manager_id=manager.id).values_list("type", "state", "reason", "mail")
        assert sorted(outcomes, key=str) == [
            ("badge", "sent", "", mail.id),
            ("badge", "sent", "", mail.id),
            ("level_up", "withheld", "preference", None),
        ], of
    assert copies == len(managers) + repetitions, of


@pytest.mark.parametrize("passing", [1, 2])
def test_killed_at_any_step_everything_is_sent_once(server: MailServer, living: Workers, passing: int) -> None:
    """But what it had in its hand then, which may come again under its name."""
    for day, step in enumerate(EVERY_STEP):
        noon = NOON + timedelta(days=day)
        managers = make_managers(noon, "immediate", "immediate", "immediate")
        before = len(server.taken) - OutgoingMail.objects.filter(state="sent").count()
        killed = living.run(
            Order(moment=noon + timedelta(minutes=3), port=server.port, step=step, passing=passing),
        )
        in_hand = len(server.taken) - OutgoingMail.objects.filter(state="sent").count() - before
        # The next runs find all but what the dead one had in its hand, which comes a minute later.
        for minute in (3.1, 5):
            living.run(Order(moment=noon + timedelta(minutes=minute), port=server.port))
        assert killed == [KILLED] or passing > 1, step
        assert in_hand <= (step in IN_HAND), step
        compare(managers, server, repetitions=in_hand, of=step)


def test_killed_at_any_step_of_making_digests_each_is_made_once(server: MailServer, living: Workers) -> None:
    for week, step in enumerate(EVERY_STEP):
        noon = NOON + timedelta(weeks=week)
        managers = make_managers(noon, "daily", "weekly", "daily")
        sent = 0
        for passing, hours in enumerate((20, 20.1, 24 * 5 + 20, 24 * 5 + 21), start=1):
            moment = noon + timedelta(hours=hours)
            before = len(server.taken)
            [end] = living.run(Order(moment=moment, port=server.port, step=step, passing=passing))
            booked = OutgoingMail.objects.filter(recipient__in=managers, state="sent").count()
            assert end == KILLED or passing > 1, step
            assert len(server.taken) - before <= booked - sent + (step in IN_HAND), step
            sent = booked
        for hours in (24 * 5 + 22, 24 * 6):
            living.run(Order(moment=noon + timedelta(hours=hours), port=server.port))
        repetitions = sum(len(taken_for(manager, server)) - 1 for manager in managers)
        assert repetitions == 0 or step in IN_HAND, step
        compare(managers, server, repetitions, of=step)


def test_killed_with_a_mail_in_its_hand_the_link_in_it_is_good(server: MailServer, living: Workers) -> None:
    [manager] = make_managers(NOON, "immediate")
    order = Order(moment=NOON + timedelta(minutes=3), port=server.port, step="has sent it, and not committed")
    assert living.run(order) == [KILLED]
    living.run(Order(moment=NOON + timedelta(minutes=5), port=server.port))
    links = [str(message["List-Unsubscribe"]).strip("<>") for message in server.to(manager.email)]
    found = [subscriber(link.rpartition("/")[2]) for link in links]
    assert [each and each.user for each in found] == [manager, manager]


def test_two_at_once_of_whom_one_is_killed_send_everything_once(server: MailServer, living: Workers) -> None:
    managers = make_managers(NOON, *["immediate"] * 12)
    moment = NOON + timedelta(minutes=3)
    whole = Order(moment=moment, port=server.port)
    ends = living.run(whole, Order(moment=moment, port=server.port, step="has sent it, and not committed", passing=3))
    for minute in (4, 5):
        living.run(*[Order(moment=NOON + timedelta(minutes=minute), port=server.port)] * 2)
    compare(managers, server, repetitions=sum(end < 0 for end in ends))
