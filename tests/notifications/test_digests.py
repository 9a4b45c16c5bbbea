"""Digests: one for each manager and window, of what happened in it, however often or late the job runs."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cerply import clock
from cerply.accounts.models import User
from cerply.permissions import Role
from notifications import collecting, delivery, preferring
from notifications.models import Delivery, ManagerNotification, OutgoingMail
from notifications.recipients import Recipient
from tests.factories import ACTOR, Cast, make_cast, make_team, make_user
from tests.notifications.events import happen, outcome, prefer
from tests.threads import at_once

# A Tuesday.
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def at(day: int, hour: float = 0) -> datetime:
    """Of November 2026, in UTC."""
    return datetime(2026, 11, day, tzinfo=UTC) + timedelta(hours=hour)


def run(moment: datetime) -> None:
    with clock.moved_to(moment):
        delivery.mail_owed()


def say(manager: User, frequency: str, moment: datetime) -> None:
    with clock.moved_to(moment):
        values = {"frequency": frequency, "types": ["badge", "certificate"], "timezone": manager.timezone}
        preferring.prefer(manager, values, actor=ACTOR)


def sent() -> list[EmailMultiAlternatives]:
    return [message for message in mail.outbox if isinstance(message, EmailMultiAlternatives)]


@pytest.fixture
def daily(cast: Cast) -> Cast:
    prefer(cast.manager, "daily")
    return cast


def test_a_day_s_digest_says_how_many_then_who_then_where(daily: Cast) -> None:
    make_team(daily.organization, [daily.colleague], [daily.manager])
    for learner in (daily.learner, daily.colleague):
        happen(learner, "level_up", NOON)
    happen(daily.learner, "certificate", NOON + timedelta(hours=5))
    run(NOON + timedelta(minutes=5))
    run(at(25, 7.9))
    assert sent() == []
    run(at(25, 8))
    [message] = sent()
    assert message.subject == "2 team members leveled up, 1 earned a certificate"
    lines = message.body.splitlines()
    assert lines[0] == "2 team members leveled up, 1 earned a certificate."
    assert "What your team achieved until November 25, 2026" in lines
    assert "- Maya Lindqvist earned a certificate: First Aid" in lines
    assert lines[lines.index("See all in your inbox:") + 1] == "http://127.0.0.1:8080/inbox"


def test_what_happens_at_the_end_of_a_window_is_in_the_next(daily: Cast) -> None:
    before, end = (
        happen(daily.learner, "badge", at(25, 8) - timedelta(microseconds=1)),
        happen(daily.learner, "certificate", at(25, 8)),
    )
    run(at(25, 8.1))
    assert (outcome(before), outcome(end)) == (("sent", ""), ("waiting", ""))
    run(at(26, 8))
    assert [message.subject for message in sent()] == [
        "Maya Lindqvist earned the badge “First Steps”",
        "Maya Lindqvist earned a certificate: First Aid",
    ]


def test_nothing_to_say_nothing_sent(daily: Cast) -> None:
    for day in range(25, 30):
        run(at(day, 8))
    assert (sent(), OutgoingMail.objects.count()) == ([], 0)


def test_one_for_each_window_however_often_the_job_runs(daily: Cast) -> None:
    for day in (24, 25, 26):
        happen(daily.learner, "badge", at(day, 12))
    for quarter in range(24 * 4 * 4):
        run(at(24, 12 + quarter / 4))
    assert [row.window_end for row in OutgoingMail.objects.order_by("id")] == [at(25, 8), at(26, 8), at(27, 8)]
    assert len(sent()) == 3


def test_one_for_each_window_however_late_it_runs(daily: Cast) -> None:
    rows = [happen(daily.learner, "badge", at(day, 12)) for day in (20, 21, 23)]
    run(at(28, 3))
    run(at(28, 4))
    mails = [Delivery.objects.get(notification=row).mail for row in rows]
    assert [each.window_end for each in mails if each] == [at(21, 8), at(22, 8), at(24, 8)]
    assert len(sent()) == 3


def test_what_was_committed_after_its_window_was_closed_is_in_the_next(daily: Cast) -> None:
    happen(daily.learner, "badge", at(24, 12))
    run(at(25, 8))
    late = happen(daily.learner, "certificate", at(25, 7.99))
    run(at(25, 8.1))
    assert outcome(late) == ("waiting", "")
    run(at(26, 8))
    assert outcome(late) == ("sent", "")
    assert [row.window_end for row in OutgoingMail.objects.order_by("id")] == [at(25, 8), at(26, 8)]


def test_weekly_ones_come_on_mondays(cast: Cast) -> None:
    prefer(cast.manager, "weekly")
    rows = [happen(cast.learner, "badge", at(day, 12)) for day in (24, 27, 29)]
    for day in range(24, 30):
        run(at(day, 23))
    assert sent() == []
    run(at(30, 8))
    assert {outcome(row) for row in rows[-1:]} == {("sent", "")}
    assert OutgoingMail.objects.get().kind == "weekly"
    assert "in the week until November 30, 2026" in sent()[0].body


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Adelaide", "Asia/Kolkata"])
def test_at_eight_where_she_is_all_through_a_year(cast: Cast, zone: str) -> None:
    prefer(cast.manager, "daily", timezone=zone)
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for day in range(0, 365, 7):
        happen(cast.learner, "badge", start + timedelta(days=day))
    with clock.moved_to(start + timedelta(days=370)):
        assert collecting.collect() == 53
    local = [row.window_end.astimezone(ZoneInfo(zone)) for row in OutgoingMail.objects.all() if row.window_end]
    assert {moment.hour for moment in local} == {8}
    assert len({moment.utcoffset() for moment in local}) == (1 if zone == "Asia/Kolkata" else 2)


def test_the_hour_and_the_day_are_hers_to_choose(cast: Cast) -> None:
    prefer(cast.manager, "weekly", digest_hour=17, digest_weekday=5)
    happen(cast.learner, "badge", NOON)
    run(at(27, 16.9))
    assert sent() == []
    run(at(27, 17))
    assert len(sent()) == 1


@pytest.mark.parametrize(("before", "after"), [("weekly", "daily"), ("daily", "weekly"), ("daily", "immediate")])
def test_who_changes_her_mind_misses_nothing_and_hears_nothing_twice(cast: Cast, before: str, after: str) -> None:
    prefer(cast.manager, before)
    first = happen(cast.learner, "badge", at(24, 12))
    run(at(24, 13))
    say(cast.manager, after, at(24, 14))
    second = happen(cast.learner, "certificate", at(24, 15))
    for hours in range(24 * 8):
        run(at(24, 16 + hours))
    assert (outcome(first), outcome(second)) == (("sent", ""), ("sent", ""))
    ends = {row.window_end for row in OutgoingMail.objects.filter(state="sent")}
    assert ends == {"daily": {at(25, 8)}, "weekly": {at(30, 8)}, "immediate": {None}}[after]
    assert len({message.extra_headers["Message-ID"] for message in sent()}) == len(sent())


def test_windows_of_an_earlier_wish_are_not_made_up_for(cast: Cast) -> None:
    prefer(cast.manager, "weekly")
    row = happen(cast.learner, "badge", at(24, 12))
    run(at(24, 13))
    say(cast.manager, "daily", at(27, 12))
    run(at(27, 12.1))
    assert (sent(), outcome(row)) == ([], ("waiting", ""))
    run(at(28, 8))
    assert OutgoingMail.objects.get().window_end == at(28, 8)


def test_a_time_zone_that_is_no_longer_known_keeps_nobody_waiting(daily: Cast) -> None:
    other = make_user(daily.organization, Role.MANAGER)
    make_team(daily.organization, [daily.learner], [other])
    prefer(daily.manager, "daily", timezone="US/Pacific-New")
    prefer(other, "daily")
    happen(daily.learner, "badge", NOON)
    run(at(25, 8))
    assert sorted(message.to[0] for message in sent()) == sorted([daily.manager.email, other.email])


def test_a_digest_that_is_turned_off_meanwhile_is_not_sent(daily: Cast) -> None:
    row = happen(daily.learner, "badge", NOON)
    with clock.moved_to(at(25, 8)):
        collecting.collect()
    prefer(daily.manager, "off")
    run(at(25, 8.1))
    assert (sent(), outcome(row)) == ([], ("withheld", "preference"))


def test_a_default_that_does_not_concern_her_does_not_put_her_digest_off(daily: Cast) -> None:
    row = happen(daily.learner, "badge", NOON)
    with clock.moved_to(at(25, 9)):
        preferring.decide_policy(daily.organization.id, {"frequency": "weekly"}, actor=ACTOR)
    run(at(25, 9))
    assert outcome(row) == ("sent", "")


def test_what_holds_again_when_a_lock_is_gone_holds_from_then_on(daily: Cast) -> None:
    with clock.moved_to(at(24, 0)):
        preferring.decide_policy(daily.organization.id, {"frequency": "weekly", "locked": True}, actor=ACTOR)
    row = happen(daily.learner, "badge", NOON)
    with clock.moved_to(at(26, 9)):
        preferring.decide_policy(daily.organization.id, {"locked": False}, actor=ACTOR)
    run(at(26, 9))
    assert outcome(row) == ("waiting", "")
    run(at(27, 8))
    assert [message.subject for message in sent()] == ["Maya Lindqvist earned the badge “First Steps”"]


@pytest.mark.parametrize("moment", [NOON, at(24, 8) - timedelta(seconds=1)], ids=["at noon", "as a day's window ends"])
def test_what_comes_while_the_others_are_withheld_is_withheld_too(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, moment: datetime
) -> None:
    prefer(cast.manager, "off")
    happen(cast.learner, "badge", moment - timedelta(minutes=5))
    withhold = collecting._withhold
    late: list[ManagerNotification] = []

    def then(managers: Mapping[UUID, Recipient], now: datetime) -> None:
        withhold(managers, now)
        if not late:
            late.append(happen(cast.learner, "certificate", moment))

    monkeypatch.setattr(collecting, "_withhold", then)
    run(moment + timedelta(seconds=2))
    run(moment + timedelta(minutes=2))
    assert (outcome(late[0]), sent()) == (("withheld", "preference"), [])


def test_as_many_queries_for_many_managers_as_for_few(cast: Cast) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured, clock.moved_to(at(30, 8)):
            assert collecting.collect()
        return len(captured)

    prefer(cast.manager, "daily")
    happen(cast.learner, "badge", NOON)
    few = queries()
    managers = [make_user(cast.organization, Role.MANAGER) for _ in range(20)]
    make_team(cast.organization, [cast.learner], managers)
    for manager in managers:
        prefer(manager, "weekly")
    happen(cast.learner, "badge", NOON + timedelta(hours=1))
    assert queries() == few


def test_more_than_a_chunk(daily: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "CHUNK", 2)
    managers = [make_user(daily.organization, Role.MANAGER) for _ in range(5)]
    make_team(daily.organization, [daily.learner], managers)
    for manager in managers:
        prefer(manager, "daily")
    for hour in range(3):
        happen(daily.learner, "badge", NOON + timedelta(hours=hour))
    run(at(25, 8))
    assert sorted(message.to[0] for message in sent()) == sorted(
        User.objects.filter(role=Role.MANAGER, organization=daily.organization).values_list("email", flat=True)
    )


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_collected_and_sent_by_many_at_once_each_goes_out_once() -> None:
    cast = make_cast()
    managers = [make_user(cast.organization, Role.MANAGER) for _ in range(10)]
    make_team(cast.organization, [cast.learner], managers)
    for number, manager in enumerate(managers):
        prefer(manager, ["immediate", "daily"][number % 2])
    for minute in range(5):
        happen(cast.learner, "badge", NOON + timedelta(minutes=minute))
    at_once([lambda: run(at(25, 8))] * 6)
    assert len(sent()) == 11
    assert len({message.extra_headers["Message-ID"] for message in sent()}) == 11
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent", "withheld"}
