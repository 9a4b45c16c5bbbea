"""Events are replayed, and every one of them reaches its manager through one mail, or has a reason why not.

How the year of a thousand managers was replayed: the same with other numbers.
"""

import random
from collections import Counter

import pytest

from tests.notifications.comparing import Comparison
from tests.notifications.moody_server import MoodyServer
from tests.notifications.mortal_workers import workers
from tests.notifications.replaying import Year

SEED = 4
MANAGERS = 30
DAYS = 21


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_every_event_reaches_its_manager_through_one_mail_or_has_a_reason_why_not() -> None:
    server = MoodyServer(SEED)
    server.controller.start()
    try:
        with workers() as living:
            year = Year(SEED, living, server, MANAGERS, DAYS, density=20)
            year.replay()
    finally:
        server.controller.stop()
    problems = Comparison(year).problems()
    kinds = Counter(problem.partition(":")[0] for problem in problems)
    some = random.Random(SEED).sample(problems, min(5, len(problems)))
    assert not problems, f"With the seed {SEED}: {dict(kinds)}, such as {some}"
    assert server.copies
    assert any(step.killed for step in year.steps)
