"""Managers who say something else at the very moment at which the job is at work for them."""

from collections.abc import Collection
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.core import mail
from django.db import transaction

from cerply import clock
from notifications import delivery, preferring
from notifications.collecting import collect
from notifications.models import OutgoingMail
from tests.factories import ACTOR, make_cast
from tests.notifications.events import happen, outcome, prefer, subscription_of
from tests.threads import meanwhile

pytestmark = pytest.mark.django_db(transaction=True)

# A Tuesday.
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def run(minutes: float) -> None:
    with clock.moved_to(NOON + timedelta(minutes=minutes)):
        delivery.mail_owed()


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

    with transaction.atomic(), clock.moved_to(NOON + timedelta(minutes=3)):
        values = {"frequency": after, "types": ["badge"], "timezone": "UTC"}
        preferring.prefer(cast.manager, values, actor=ACTOR)
        looking = meanwhile(look)
    looking.result()
    for minute in (4, 5, 6):
        run(minute)
    assert len(mail.outbox) == sent
    assert outcome(row)[0] == {"immediate": "sent", "weekly": "waiting", "off": "withheld"}[after]
    run(6 * 24 * 60)
    assert len(mail.outbox) == (after != "off")


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
