"""The same history earns the same, however it was recorded."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cerply import clock
from cerply.accounts.models import User
from cerply.tracks.models import CertifiesFrom, Item
from certificates.models import Certificate, Source
from gamification import catchup
from gamification.answers import Answer
from gamification.levels import Level
from gamification.models import (
    Attempt,
    Badge,
    BadgeRule,
    Completion,
    LearnerBadge,
    LearnerLevel,
    LearnerStanding,
    RuleKind,
)
from gamification.progress import record
from gamification.revising import save_badge
from ops.features import Feature, set_toggle
from tests.factories import ACTOR, Cast, make_answer, make_organization, make_track, make_user

RULES: list[dict[str, Any]] = [
    {"kind": RuleKind.CORRECT_ANSWERS, "count": 7},
    {"kind": RuleKind.STREAK, "count": 4},
    {"kind": RuleKind.SPEED, "count": 3, "under_ms": 1000},
    {"kind": RuleKind.DAILY_STREAK, "count": 3},
    {"kind": RuleKind.TRACKS_COMPLETED, "count": 1},
    {"kind": RuleKind.TRACKS_COMPLETED, "count": 2},
    {"kind": RuleKind.LEVEL_REACHED, "level": Level.LEARNER},
]


@dataclass(frozen=True)
class Deed:
    """So many answers that are the same; ``batch`` says that the next ones come in another batch."""

    item: int
    credit: Decimal
    response_ms: int | None
    days_ago: int
    source: Source
    times: int
    batch: bool


DEEDS = st.lists(
    st.builds(
        Deed,
        item=st.integers(0, 4),
        credit=st.sampled_from([Decimal(1), Decimal(1), Decimal(1), Decimal("0.5"), Decimal(0)]),
        response_ms=st.sampled_from([None, 500, 999, 1000]),
        days_ago=st.integers(0, 5),
        source=st.sampled_from([Source.SELF, Source.SYSTEM]),
        times=st.sampled_from([1, 1, 1, 2, 3, 22]),
        batch=st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


def answers_of(deeds: list[Deed], learner: User, items: list[Item]) -> list[list[Answer]]:
    """By batches."""
    batches: list[list[Answer]] = [[]]
    now = clock.now()
    for deed in deeds:
        batches[-1] += [
            make_answer(
                learner,
                items[deed.item],
                credit=deed.credit,
                response_ms=deed.response_ms,
                occurred_at=now - timedelta(days=deed.days_ago),
                source=deed.source,
            )
        ] * deed.times
        if deed.batch:
            batches.append([])
    return [batch for batch in batches if batch]


def standing_of(learner: User) -> dict[str, Any]:
    """All that she has come to, in words that do not differ from one learner to another."""
    names = {str(row.id): f"answer {row.sequence}" for row in Attempt.objects.filter(learner=learner)}
    recorded = {str(row.id): row.recorded_at for row in Attempt.objects.filter(learner=learner)}
    for done in Completion.objects.filter(learner=learner):
        names[str(done.id)] = f"completion {done.track_id} {done.cycle}"
        recorded[str(done.id)] = done.completed_at
    badges = {}
    for badge in LearnerBadge.objects.filter(learner=learner).select_related("badge"):
        cause = badge.evidence.pop("attemptId", None) or badge.evidence.pop("completionId")
        assert badge.earned_at == recorded[cause]
        badges[badge.badge.slug] = (names[cause], badge.evidence)
    levels = LearnerLevel.objects.filter(learner=learner).order_by("track_id")
    completions = Completion.objects.filter(learner=learner).order_by("track_id", "cycle")
    return {
        "badges": badges,
        "levels": list(levels.values_list("track_id", "answers", "credit", "level", "cycle")),
        "completions": list(completions.values_list("track_id", "cycle", "source")),
        "certificates": set(Certificate.objects.filter(learner=learner).values_list("track_id", "source")),
        "standing": LearnerStanding.objects.values(
            "sequence", "correct_answers", "streak", "tracks_completed", "speed_runs", "badges_due"
        ).get(learner=learner),
    }


@pytest.mark.slow
@given(deeds=DEEDS)
@settings(max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_batches_one_by_one_and_caught_up_are_the_same(cast: Cast, deeds: list[Deed]) -> None:
    with transaction.atomic():
        for number, criteria in enumerate(RULES):
            badge = Badge(slug=f"badge-{number}", name="Badge", description="A badge.", icon="b")
            save_badge(badge, BadgeRule(**criteria), actor=ACTOR)
        tracks = [make_track(None, items=2), make_track(None, items=2), make_track(None, items=1)]
        tracks[0].certifies_from = CertifiesFrom.SYSTEM
        tracks[0].save()
        items = [item for track in tracks for item in track.items.all()]
        off = make_organization("Off Ltd")

        def in_batches(learner: User) -> None:
            for batch in answers_of(deeds, learner, items):
                record(batch, actor=ACTOR)

        def one_by_one(learner: User) -> None:
            for batch in answers_of(deeds, learner, items):
                for answer in batch:
                    record([answer], actor=ACTOR)

        def caught_up(learner: User) -> None:
            for feature in Feature:
                set_toggle(feature, off.id, False, actor=ACTOR, reason="A test.")
            in_batches(learner)
            for feature in Feature:
                set_toggle(feature, off.id, True, actor=ACTOR, reason="A test.")
            catchup.resume()

        ways: list[tuple[User, Callable[[User], None]]] = [
            (make_user(cast.organization), in_batches),
            (make_user(cast.organization), one_by_one),
            (make_user(off), caught_up),
        ]
        for learner, way in ways:
            way(learner)
        first, *others = (standing_of(learner) for learner, _ in ways)
        assert others == [first, first]
        transaction.set_rollback(True)
