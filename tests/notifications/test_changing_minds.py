"""Managers who say something else at the very moment at which the job is at work for them."""

from collections.abc import Collection
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.core import mail
from django.db import transaction
from pytest_django import Settings

from cerply import clock
from notifications import delivery, preferring
from notifications.collecting import collect
from notifications.models import OutgoingMail
from tests.factories import ACTOR, Cast, make_cast
from tests.mail_server import MailServer, mail_server
from tests.notifications.events import happen, outcome, prefer, subscription_of
from tests.threads import meanwhile

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


def test_who_unsubscribes_while_it_is_collected_waits_for_nobody_who_waits_for_her(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cast = make_cast()
    subscription = subscription_of(cast.manager)
    row = happen(cast.learner, "badge", NOON)
    collecting: list[Future[int]] = []
    look_again = preferring._look_again

    def look() -> int:
        with clock.moved_to(NOON + timedelta(minutes=3)):
            return collect()

    def when_it_is_written(manager_ids: Collection[UUID]) -> None:
        collecting.append(meanwhile(look))
        look_again(manager_ids)

    monkeypatch.setattr(preferring, "_look_again", when_it_is_written)
    assert preferring.unsubscribe(subscription, actor=ACTOR)
    assert collecting[0].result() == OutgoingMail.objects.count() == 1
    run(4)
    assert (outcome(row), mail.outbox) == (("withheld", "unsubscribed"), [])
