"""How managers want to be told: what they say, what their organization says for them, and when digests are due."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from audit.models import AuditEvent
from cerply import clock
from notifications.models import Frequency, MailSubscription, NotificationPolicy, NotificationPreference, SetBy, Wish
from notifications.preferring import decide_policy, policy_of, prefer, unsubscribe, wish_of
from tests.api.client import Answer, Api
from tests.factories import ACTOR, Cast, make_cast
from tests.notifications.events import subscription_of
from tests.threads import at_once

ADMIN_TOKEN = "dev-admin-token-12345"
MINE = "/manager/notification-preferences"
POLICY = "/organization/notification-policy"
SAID = {"frequency": "weekly", "types": ["badge"], "timezone": "Europe/Berlin"}
EVERY_TYPE = ["level_up", "badge", "certificate", "at_risk", "expiring"]
DECIDED = {"frequency": "daily", "types": EVERY_TYPE, "digestHour": 6, "digestWeekday": 5, "locked": True}
NOTHING_SAID = {
    "frequency": "immediate",
    "types": EVERY_TYPE,
    "timezone": "UTC",
    "digestHour": 8,
    "digestWeekday": 1,
    "nextDigestAt": None,
    "setBy": "default",
    "locked": False,
    "unsubscribedAt": None,
    "frequencyBefore": None,
    "undeliverable": None,
}


def put(api: Api, cast: Cast, **changes: Any) -> Answer:
    return api.put(MINE, SAID | changes, by=cast.manager)


# -- her own --


def test_a_manager_says_how_she_wants_it_and_can_send_back_what_she_reads(api: Api, cast: Cast) -> None:
    assert api.get(MINE, by=cast.manager).body == NOTHING_SAID
    said = put(api, cast)
    assert said.status == 200
    assert said.body == NOTHING_SAID | SAID | {"setBy": "manager", "nextDigestAt": said.body["nextDigestAt"]}
    assert api.put(MINE, said.body, by=cast.manager).body == said.body
    assert api.get(MINE, by=cast.admin).body["frequency"] == "immediate"
    event = AuditEvent.objects.filter(type="preferences_changed").earliest("id")
    assert (event.subject_id, event.actor_id, event.metadata["frequency"]) == (
        cast.manager.id,
        cast.manager.id,
        "weekly",
    )


def test_what_she_leaves_out_stays(api: Api, cast: Cast) -> None:
    put(api, cast, digestHour=17, digestWeekday=3)
    body = put(api, cast, frequency="daily").body
    assert (body["digestHour"], body["digestWeekday"], body["frequency"]) == (17, 3, "daily")


def test_others_have_none(api: Api, cast: Cast) -> None:
    assert api.get(MINE).status == 401
    assert api.get(MINE, by=cast.learner).status == 403
    assert api.get(MINE, by=cast.auditor).status == 403
    assert api.get(MINE, x_admin_token=ADMIN_TOKEN).body == NOTHING_SAID
    assert api.put(MINE, SAID, x_admin_token=ADMIN_TOKEN).status == 403
    assert not NotificationPreference.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"frequency": "hourly"},
        {"frequency": None},
        {"types": ["level_up", "level_up"]},
        {"types": ["gossip"]},
        {"types": "badge"},
        {"timezone": "Nowhere"},
        {"digestHour": 24},
        {"digestHour": -1},
        {"digestHour": "8"},
        {"digestWeekday": 0},
        {"digestWeekday": 8},
        {"more": 1},
    ],
    ids=str,
)
def test_bad_ones_are_named(api: Api, cast: Cast, change: dict[str, Any]) -> None:
    answer = put(api, cast, **change)
    assert (answer.status, list(answer.details)) == (400, list(change))


@pytest.mark.parametrize("field", [{"frequency": "x"}, {"digest_hour": 24}, {"digest_weekday": 0}], ids=str)
def test_the_database_refuses_what_makes_no_sense(cast: Cast, field: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        NotificationPreference.objects.create(user=cast.manager, timezone="UTC", **field)
    with pytest.raises(IntegrityError), transaction.atomic():
        NotificationPolicy.objects.create(organization=cast.organization, **field)


# -- the organization's --


def test_the_organization_s_default_holds_for_who_has_said_nothing(api: Api, cast: Cast) -> None:
    said = api.put(POLICY, DECIDED | {"locked": False}, by=cast.admin)
    assert (said.status, said.body) == (200, DECIDED | {"locked": False})
    mine = api.get(MINE, by=cast.manager).body
    assert (mine["frequency"], mine["digestHour"], mine["setBy"], mine["locked"]) == ("daily", 6, "organization", False)
    assert put(api, cast).body["setBy"] == "manager"
    assert api.get(MINE, by=cast.outside_manager).body == NOTHING_SAID


def test_locked_it_holds_for_all_and_what_they_had_said_comes_back(api: Api, cast: Cast) -> None:
    put(api, cast)
    api.put(POLICY, DECIDED, by=cast.admin)
    mine = api.get(MINE, by=cast.manager).body
    assert (mine["frequency"], mine["setBy"], mine["locked"]) == ("daily", "organization", True)
    refused = put(api, cast, frequency="off")
    assert (refused.status, refused.code) == (403, "FORBIDDEN")
    assert "unsubscribe" in refused.body["error"]["message"]
    # The time zone is hers, and what she reads she can send back.
    moved = api.put(MINE, mine | {"timezone": "Asia/Tokyo"}, by=cast.manager)
    assert (moved.status, moved.body["timezone"]) == (200, "Asia/Tokyo")
    api.put(POLICY, DECIDED | {"locked": False}, by=cast.admin)
    assert api.get(MINE, by=cast.manager).body["frequency"] == "weekly"
    assert api.get(MINE, by=cast.manager).body["types"] == ["badge"]


def test_who_sends_back_what_is_locked_has_said_it_herself(api: Api, cast: Cast) -> None:
    api.put(POLICY, DECIDED, by=cast.admin)
    api.put(MINE, api.get(MINE, by=cast.manager).body | {"timezone": "Asia/Tokyo"}, by=cast.manager)
    api.put(POLICY, DECIDED | {"locked": False, "frequency": "weekly"}, by=cast.admin)
    mine = api.get(MINE, by=cast.manager).body
    assert (mine["frequency"], mine["timezone"], mine["setBy"]) == ("daily", "Asia/Tokyo", "manager")


def test_a_policy_is_the_admin_s_to_make(api: Api, cast: Cast) -> None:
    for who in (cast.manager, cast.auditor):
        assert api.get(POLICY, by=who).status == 200
        assert api.put(POLICY, DECIDED, by=who).status == 403
    assert api.get(POLICY, by=cast.learner).status == 403
    assert api.get(POLICY).status == 401
    assert api.get(POLICY, x_admin_token=ADMIN_TOKEN).status == 403
    assert api.put(POLICY, DECIDED | {"frequency": "x"}, by=cast.admin).status == 400
    assert not NotificationPolicy.objects.exists()


def test_a_policy_s_change_is_audited_with_before_and_after(cast: Cast) -> None:
    decide_policy(cast.organization.id, {"frequency": Frequency.DAILY, "locked": True}, actor=ACTOR)
    decide_policy(cast.organization.id, {"frequency": Frequency.DAILY, "locked": True}, actor=ACTOR)
    event = AuditEvent.objects.get(type="notification_policy_changed")
    assert event.metadata["changes"] == {
        "frequency": {"before": "immediate", "after": "daily"},
        "locked": {"before": False, "after": True},
    }
    assert policy_of(cast.outside.id).frequency == "immediate"


# -- unsubscribed --


def test_who_has_unsubscribed_gets_none_whatever_is_locked(api: Api, cast: Cast) -> None:
    api.put(POLICY, DECIDED, by=cast.admin)
    unsubscribe(subscription_of(cast.manager), actor=ACTOR)
    mine = api.get(MINE, by=cast.manager).body
    assert (mine["frequency"], mine["frequencyBefore"], mine["nextDigestAt"]) == ("off", "daily", None)
    assert mine["unsubscribedAt"] is not None
    # To send back what she reads is not to subscribe.
    assert api.put(MINE, mine, by=cast.manager).body["frequency"] == "off"
    again = api.put(MINE, mine | {"frequency": "daily"}, by=cast.manager).body
    assert (again["frequency"], again["unsubscribedAt"]) == ("daily", None)


def test_what_she_had_said_is_remembered_while_she_is_unsubscribed(api: Api, cast: Cast) -> None:
    put(api, cast)
    unsubscribe(subscription_of(cast.manager), actor=ACTOR)
    assert put(api, cast, frequency="off").body["frequencyBefore"] == "weekly"
    back = put(api, cast, frequency="immediate").body
    assert (back["frequency"], back["unsubscribedAt"], back["frequencyBefore"]) == ("immediate", None, None)


# -- when digests are due --


@pytest.mark.parametrize(
    ("frequency", "now", "due"),
    [
        ("daily", (2026, 3, 28, 12), (2026, 3, 29, 6)),  # clocks go forward in the night between
        ("daily", (2026, 10, 24, 12), (2026, 10, 25, 7)),  # and back
        ("daily", (2026, 7, 1, 5), (2026, 7, 1, 6)),
        ("daily", (2026, 7, 1, 6), (2026, 7, 2, 6)),
        ("weekly", (2026, 7, 1, 12), (2026, 7, 6, 6)),
        ("weekly", (2026, 7, 6, 5), (2026, 7, 6, 6)),
        ("weekly", (2026, 7, 6, 7), (2026, 7, 13, 6)),
    ],
)
def test_digests_are_due_at_eight_in_the_manager_s_zone(
    frequency: str, now: tuple[int, int, int, int], due: tuple[int, int, int, int]
) -> None:
    assert wish(frequency, "Europe/Berlin").next_digest_after(moment(now)) == moment(due)


@pytest.mark.parametrize(
    ("zone", "hour", "now", "due"),
    [
        # An hour that is left out, and one that comes twice.
        ("Europe/Berlin", 2, (2026, 3, 28, 12), (2026, 3, 29, 1)),
        ("Europe/Berlin", 2, (2026, 10, 24, 12), (2026, 10, 25, 0)),
        ("Europe/Berlin", 2, (2026, 10, 25, 0), (2026, 10, 26, 1)),
        ("Pacific/Kiritimati", 8, (2026, 7, 1, 12), (2026, 7, 1, 18)),
        ("Pacific/Pago_Pago", 8, (2026, 7, 1, 12), (2026, 7, 1, 19)),
        # Midnight does not exist on the day on which Cairo's summer begins.
        ("Africa/Cairo", 0, (2026, 4, 23, 12), (2026, 4, 23, 22)),
        ("Asia/Kathmandu", 23, (2026, 7, 1, 18), (2026, 7, 2, 17)),
    ],
)
def test_each_day_has_one_end_of_a_window(
    zone: str, hour: int, now: tuple[int, int, int, int], due: tuple[int, int, int, int]
) -> None:
    found = wish("daily", zone, digest_hour=hour).digest_after(moment(now))
    assert found.replace(minute=0) == moment(due)


@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca"]),
    st.integers(0, 23),
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
)
def test_from_end_to_end_each_local_day_comes_once(zone: str, hour: int, start: datetime) -> None:
    daily = wish("daily", zone, digest_hour=hour)
    end, days = start.replace(tzinfo=UTC), []
    for _ in range(20):
        following = daily.digest_after(end)
        assert timedelta(0) < following - end <= timedelta(hours=26)
        end = following
        days.append(end.astimezone(ZoneInfo(zone)).date())
    assert days == [days[0] + timedelta(days=number) for number in range(20)]


def test_who_wants_none_has_none() -> None:
    assert [wish(frequency, "UTC").next_digest_after(clock.now()) for frequency in ("immediate", "off")] == [None, None]


def wish(frequency: str, timezone: str, digest_hour: int = 8) -> Wish:
    return Wish(
        frequency=Frequency(frequency),
        types=EVERY_TYPE,
        timezone=timezone,
        digest_hour=digest_hour,
        digest_weekday=1,
        since=None,
        set_by=SetBy.MANAGER,
    )


def moment(parts: tuple[int, int, int, int]) -> datetime:
    return datetime(*parts, tzinfo=UTC)


# -- at once --


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_many_who_say_it_at_once_leave_one_row() -> None:
    cast = make_cast()
    said = [{"frequency": frequency, "types": ["badge"], "timezone": "UTC"} for frequency in Frequency.values] * 3
    at_once([lambda values=values: prefer(cast.manager, values, actor=ACTOR) for values in said])  # type: ignore[misc]
    assert NotificationPreference.objects.get().frequency in Frequency.values
    subscription = subscription_of(cast.manager)
    done = at_once([lambda: unsubscribe(subscription, actor=ACTOR)] * 5)
    assert sorted(done) == [False] * 4 + [True]
    assert AuditEvent.objects.filter(type="unsubscribed").count() == 1
    assert MailSubscription.objects.get().unsubscribed_at
    assert wish_of(cast.manager).frequency == "off"
