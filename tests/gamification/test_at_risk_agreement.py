"""What the job finds is what the rules say, as a plain program reads them off the whole history."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cerply import clock
from cerply.tracks.models import Track
from certificates.models import Certificate, Source
from certificates.revoking import revoke
from gamification import at_risk
from gamification.at_risk_policies import set_policy
from gamification.models import AtRiskEpisode, LearnerLevel
from gamification.progress import record
from notifications.models import ManagerNotification
from tests.factories import ACTOR, Cast, make_answer, make_track
from tests.gamification.at_risk import START

ITEMS = 2


@dataclass(frozen=True)
class Answers:
    """The same so many times, in one batch."""

    track: int
    item: int
    credit: Decimal
    times: int


@dataclass(frozen=True)
class Wait:
    hours: int


@dataclass(frozen=True)
class Rules:
    share: int = 70
    answers: int = 20
    leastAnswers: int = 10
    days: int = 7


@dataclass(frozen=True)
class Revoke:
    track: int


@dataclass(frozen=True)
class Forget:
    """The level is as if it had been written before it kept the latest answers."""

    track: int


@dataclass(frozen=True)
class Look:
    pass


type Deed = Answers | Wait | Rules | Revoke | Forget | Look
TRACKS = st.integers(0, 1)
DEEDS: st.SearchStrategy[list[Deed]] = st.lists(
    st.one_of(
        st.builds(
            Answers,
            track=TRACKS,
            item=st.integers(0, ITEMS - 1),
            credit=st.sampled_from([Decimal(1), Decimal(1), Decimal("0.7"), Decimal("0.3333"), Decimal(0)]),
            times=st.sampled_from([1, 3, 6, 7, 14, 120]),
        ),
        st.builds(Wait, hours=st.sampled_from([1, 24, 72, 7 * 24, 30 * 24])),
        st.builds(
            Rules,
            share=st.sampled_from([1, 50, 70, 100]),
            answers=st.sampled_from([5, 20, 100]),
            leastAnswers=st.sampled_from([1, 5]),
            days=st.sampled_from([1, 3, 7]),
        ),
        st.builds(Revoke, track=TRACKS),
        st.builds(Forget, track=TRACKS),
        st.just(Look()),
        st.just(Look()),
    ),
    min_size=3,
    max_size=25,
)


@dataclass
class TrackModel:
    """One learner in one track: all that she answered, and when what she completed was taken back."""

    credits: list[Decimal] = field(default_factory=list)
    last: datetime | None = None
    right: set[int] = field(default_factory=set)
    # Of each certificate, when it was revoked.
    certificates: list[datetime | None] = field(default_factory=list)

    def answer(self, deed: Answers, now: datetime) -> None:
        self.last = now
        for _ in range(deed.times):
            self.credits.append(deed.credit)
            if deed.credit == 1:
                self.right.add(deed.item)
            if len(self.right) == ITEMS:
                self.right = set()
                if None not in self.certificates:
                    self.certificates.append(None)

    def revoke(self, now: datetime) -> None:
        self.certificates = [revoked or now for revoked in self.certificates]

    def at_risk(self, rules: Rules, now: datetime) -> dict[str, datetime | None]:
        """Each reason, with what tells one time from another."""
        found: dict[str, datetime | None] = {}
        if self.last is None:
            return found
        latest = self.credits[-rules.answers :]
        if len(latest) >= rules.leastAnswers and sum(latest) * 100 < rules.share * len(latest):
            found["comprehension"] = None
        is_finished = any(revoked is None or revoked > self.last for revoked in self.certificates)
        if now - self.last >= timedelta(days=rules.days) and not is_finished:
            found["silence"] = self.last
        return found


def told_by_model(deeds: Iterable[Deed], tracks: list[Track]) -> tuple[list[tuple[Track, str]], set[tuple[Track, str]]]:
    """What is told, in any order, and what is present in the end."""
    now, rules = START, Rules()
    models = [TrackModel() for _ in tracks]
    present: list[dict[str, datetime | None]] = [{} for _ in tracks]
    told = []
    for deed in deeds:
        match deed:
            case Answers():
                models[deed.track].answer(deed, now)
            case Wait():
                now += timedelta(hours=deed.hours)
            case Rules():
                rules = deed
            case Revoke():
                models[deed.track].revoke(now)
            case Look():
                for number, model in enumerate(models):
                    found = model.at_risk(rules, now)
                    before = present[number]
                    told += [(tracks[number], reason) for reason in found if before.get(reason, now) != found[reason]]
                    present[number] = found
    return told, {(track, reason) for track, found in zip(tracks, present, strict=True) for reason in found}


def done(deeds: Iterable[Deed], cast: Cast, tracks: list[Track]) -> None:
    now = START
    items = [list(track.items.all()) for track in tracks]
    for deed in deeds:
        with clock.moved_to(now):
            match deed:
                case Answers():
                    answer = make_answer(
                        cast.learner, items[deed.track][deed.item], credit=deed.credit, source=Source.SYSTEM
                    )
                    record([answer] * deed.times, actor=ACTOR)
                case Wait():
                    now += timedelta(hours=deed.hours)
                case Rules():
                    values: dict[str, Any] = {
                        "share": deed.share,
                        "answers": deed.answers,
                        "leastAnswers": deed.leastAnswers,
                        "days": deed.days,
                    }
                    set_policy(cast.organization.id, values, actor=ACTOR)
                case Revoke():
                    for certificate in Certificate.objects.standing().filter(track=tracks[deed.track]):
                        revoke(certificate.id, "x", actor=ACTOR)
                case Forget():
                    levels = LearnerLevel.objects.filter(track=tracks[deed.track])
                    levels.update(latest_credits=[], last_answer_at=None, remembered=0)
                case Look():
                    at_risk.find()


@pytest.mark.slow
@given(deeds=DEEDS)
@settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_job_and_the_rules_agree(cast: Cast, deeds: list[Deed]) -> None:
    deeds = [*deeds, Look()]
    with transaction.atomic():
        tracks = [make_track(cast.organization, items=ITEMS), make_track(None, items=ITEMS)]
        done(deeds, cast, tracks)
        told, present = told_by_model(deeds, tracks)
        rows = ManagerNotification.objects.filter(type="at_risk", manager=cast.manager)
        by_id = {str(track.id): track for track in tracks}
        said = [(by_id[row.content["trackId"]], row.content["reason"]) for row in rows]
        assert sorted(said, key=repr) == sorted(told, key=repr)
        episodes = AtRiskEpisode.objects.present().select_related("track")
        assert {(row.track, row.reason) for row in episodes} == present
        transaction.set_rollback(True)
