"""How long certificates last, and that completing the track again renews them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerply import clock
from cerply.clock import months_after, rfc3339_seconds
from cerply.tracks.models import Track
from certificates.models import Certificate, StatusList
from certificates.revoking import revoke
from certificates.suspending import reinstate, suspend
from gamification.catchup import issue_owed
from gamification.models import Completion
from notifications.models import ManagerNotification
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, make_cast, make_track
from tests.threads import at_once

START = datetime(2026, 3, 31, 10, 30, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def track(cast: Cast) -> Track:
    """Its certificates last a year."""
    return make_track(cast.organization, items=1, valid_months=12)


def completed(cast: Cast, track: Track, moment: datetime) -> list[Certificate]:
    with clock.moved_to(moment):
        return complete(cast.learner, track).certificates


@pytest.mark.parametrize(
    ("months", "expected"),
    [
        (1, "2026-04-30T10:30:00"),
        (2, "2026-05-31T10:30:00"),
        (9, "2026-12-31T10:30:00"),
        (11, "2027-02-28T10:30:00"),
        (23, "2028-02-29T10:30:00"),
        (600, "2076-03-31T10:30:00"),
    ],
)
def test_calendar_months(months: int, expected: str) -> None:
    assert months_after(START, months) == at(expected)


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(1, 600),
)
def test_so_many_months_later_is_in_that_month(moment: datetime, months: int) -> None:
    later = months_after(moment, months)
    assert (later.year * 12 + later.month) - (moment.year * 12 + moment.month) == months
    assert later.time() == moment.time()
    assert later.day == moment.day or (later.day < moment.day and (later + timedelta(days=1)).day == 1)


def test_the_end_is_signed(cast: Cast, track: Track) -> None:
    [certificate] = completed(cast, track, START)
    assert certificate.expires_at == at("2027-03-31T10:30:00")
    document = json.loads(certificate.credential.document)
    assert document["validFrom"] == rfc3339_seconds(START)
    assert document["validUntil"] == "2027-03-31T10:30:00Z"
    assert certificate.status_at(at("2027-03-31T10:29:59")) == "valid"
    assert certificate.status_at(at("2027-03-31T10:30:00")) == "expired"


def test_a_track_that_says_nothing_has_certificates_without_an_end(cast: Cast) -> None:
    [certificate] = completed(cast, cast.track, START)
    assert certificate.expires_at is None
    assert "validUntil" not in json.loads(certificate.credential.document)
    assert completed(cast, cast.track, START + timedelta(days=5000)) == []


def test_a_new_validity_is_for_new_certificates(cast: Cast, track: Track) -> None:
    [certificate] = completed(cast, track, START)
    track.valid_months = 24
    track.save()
    certificate.refresh_from_db()
    assert certificate.expires_at == at("2027-03-31T10:30:00")
    [renewed] = completed(cast, track, at("2027-03-01T09:00:00"))
    assert renewed.expires_at == at("2029-03-31T10:30:00")


def test_well_before_the_end_nothing_is_renewed(cast: Cast, track: Track) -> None:
    completed(cast, track, START)
    assert completed(cast, track, at("2026-12-31T10:29:59")) == []
    assert Certificate.objects.get().renewed_at is None


def test_near_the_end_no_time_is_lost(api: Api, cast: Cast, track: Track) -> None:
    [old] = completed(cast, track, START)
    near = at("2026-12-31T10:30:00")
    [new] = completed(cast, track, near)
    assert (new.issued_at, new.expires_at) == (near, at("2028-03-31T10:30:00"))
    old.refresh_from_db()
    assert (old.renewed_at, old.replaced_by, new.replaces) == (near, new, old)
    # Both hold until the old one runs out, and its bit is never set.
    assert (old.status_at(near), new.status_at(near)) == ("valid", "valid")
    assert old.status_at(at("2027-04-01T00:00:00")) == "expired"
    assert not any(bytes(StatusList.objects.get().bits))
    with clock.moved_to(near):
        rows = api.get(f"/learners/{cast.learner.id}/certificates", by=cast.learner).body["certificates"]
    assert [(row["id"], row["replaces"], row["replacedBy"]) for row in rows] == [
        (str(new.id), str(old.id), None),
        (str(old.id), None, str(new.id)),
    ]
    assert completed(cast, track, near + timedelta(days=1)) == []
    assert ManagerNotification.objects.filter(type="certificate").count() == 2
    assert Completion.objects.get(cycle=2).certificate == new


def test_after_the_end_the_new_time_counts_from_now(cast: Cast, track: Track) -> None:
    completed(cast, track, START)
    [new] = completed(cast, track, at("2029-01-15T08:00:00"))
    assert new.expires_at == at("2030-01-15T08:00:00")


def test_a_short_time_is_renewed_in_its_second_half_and_never_piled_up(cast: Cast, track: Track) -> None:
    track.valid_months = 1
    track.save()
    [first] = completed(cast, track, at("2026-05-01T00:00:00"))
    assert completed(cast, track, at("2026-05-16T11:00:00")) == []
    [second] = completed(cast, track, at("2026-05-16T12:00:00"))
    assert (first.expires_at, second.expires_at) == (at("2026-06-01T00:00:00"), at("2026-07-01T00:00:00"))
    for hours in range(13, 23):
        assert completed(cast, track, at(f"2026-05-16T{hours}:00:00")) == []


def test_what_is_revoked_has_no_successor(cast: Cast, track: Track) -> None:
    [old] = completed(cast, track, START)
    revoke(old.id, "x", actor=ACTOR)
    [new] = completed(cast, track, at("2027-03-01T00:00:00"))
    assert new.replaces is None
    assert new.expires_at == at("2028-03-01T00:00:00")


def test_a_suspended_one_is_renewed_when_it_is_reinstated(cast: Cast, track: Track) -> None:
    [old] = completed(cast, track, START)
    suspend(old.id, "An inquiry.", actor=ACTOR)
    near = at("2027-03-01T00:00:00")
    assert completed(cast, track, near) == []
    with clock.moved_to(near):
        assert issue_owed(cast.learner, actor=ACTOR) == 0
        reinstate(old.id, "Nothing was found.", actor=ACTOR)
        assert issue_owed(cast.learner, actor=ACTOR) == 1
        assert issue_owed(cast.learner, actor=ACTOR) == 0
    assert Certificate.objects.get(replaces=old).expires_at == at("2028-03-31T10:30:00")
    assert not Completion.objects.owed_a_certificate().exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_renewed_and_revoked_at_once_the_books_agree() -> None:
    """Whoever comes first: what is revoked then has no successor, or has one and is revoked itself."""
    cast = make_cast()
    track = make_track(cast.organization, items=1, valid_months=1)
    [old] = completed(cast, track, clock.now() - timedelta(days=25))
    at_once([lambda: complete(cast.learner, track), lambda: revoke(old.id, "x", actor=ACTOR)])
    old.refresh_from_db()
    new = Certificate.objects.exclude(id=old.id).get()
    assert old.revoked_at is not None
    assert (old.replaced_by, new.replaces) in [(new, old), (None, None)]
    assert Certificate.objects.standing().get() == new


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_renewed_by_many_at_once_there_is_one_successor() -> None:
    cast = make_cast()
    track = make_track(cast.organization, items=1, valid_months=12)
    completed(cast, track, clock.now() - timedelta(days=300))
    at_once([lambda: complete(cast.learner, track)] * 6)
    assert Certificate.objects.count() == 2
    assert Certificate.objects.standing().count() == 1
    assert Completion.objects.count() == 7
