"""Rate limits that all web processes count together."""

import time
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from cerply import clock, throttling
from cerply.errors import RateLimited
from cerply.throttling import spend
from ops.counting import DatabaseStorage, clear_expired
from ops.models import RateCount
from tests.threads import at_once

SOMEBODY = "192.0.2.1"


def in_another_process() -> None:
    """What a process remembers is forgotten."""
    throttling._limiter.cache_clear()


@pytest.fixture(autouse=True)
def _few(settings: Settings) -> None:
    settings.RATE_LIMITS = dict.fromkeys(settings.RATE_LIMITS, "3/hour")


def passes(rate_class: str) -> bool:
    try:
        spend(rate_class, SOMEBODY)
    except RateLimited:
        return False
    return True


@pytest.mark.parametrize(
    ("rate_class", "then"),
    [("sign_in", False), ("sign_in_email", False), ("verification", False), ("files", False), ("api", True)],
)
def test_what_another_process_has_counted(db: None, rate_class: str, then: bool) -> None:
    assert [passes(rate_class) for _ in range(4)] == [True, True, True, False]
    in_another_process()
    assert passes(rate_class) is then


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_exactly_as_many_pass_as_may(settings: Settings) -> None:
    settings.RATE_LIMITS |= {"sign_in": "20/hour"}
    assert sorted(at_once([lambda: passes("sign_in")] * 32)) == [False] * 12 + [True] * 20


def test_a_window_that_is_over_begins_anew(db: None) -> None:
    storage = DatabaseStorage("database://")
    assert [storage.incr("somebody", 3600, amount) for amount in (1, 2)] == [1, 3]
    assert 3590 < storage.get_expiry("somebody") - time.time() < 3610
    RateCount.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert storage.get("somebody") == 0
    assert storage.incr("somebody", 3600) == 1
    assert storage.incr("somebody", 3600) == 2


def test_the_job_forgets_what_is_over_and_nothing_else(db: None) -> None:
    storage = DatabaseStorage("database://")
    storage.incr("over", 3600)
    RateCount.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    storage.incr("running", 3600)
    assert clear_expired() == "Deleted 1 counts."
    assert storage.get("running") == 1


def test_nobody_is_named_and_nothing_is_logged_for_it(db: None) -> None:
    spend("sign_in_email", "maya@example.com")
    [row] = RateCount.objects.all()
    assert "maya" not in row.key
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'rate_counts'")
        assert cursor.fetchone() == ("u",)
