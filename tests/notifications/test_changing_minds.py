"""Managers who say something else at the very moment at which the job is at work for them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.db import transaction

from cerply import clock
from notifications import delivery, preferring
from notifications.collecting import collect
from tests.factories import ACTOR, make_cast
from tests.notifications.events import happen, outcome, prefer
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
