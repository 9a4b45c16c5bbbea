"""The seven badges, what earns them, and what does not."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit import kpis
from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.models import User
from cerply.tracks.models import Track
from gamification.catchup import award_missing
from gamification.explaining import explain
from gamification.levels import Level
from gamification.models import Badge, BadgeRule, Completion, LearnerBadge, LearnerDay, RuleKind
from gamification.progress import Recorded, record
from gamification.revising import save_badge
from gamification.seeding import seed_badges
from gamification.sharing import share
from notifications.models import ManagerNotification
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, give_answers, make_answer, make_token, make_track


def slugs(outcome: Recorded) -> set[str]:
    return {award.badge.slug for award in outcome.badges}


def earned(learner: User) -> set[str]:
    return set(LearnerBadge.objects.filter(learner=learner).values_list("badge__slug", flat=True))


def on_day(learner: User, track: Track, days_ago: int) -> Recorded:
    """One wrong answer, so many days ago."""
    item = track.items.all()[0]
    moment = clock.now() - timedelta(days=days_ago)
    return record([make_answer(learner, item, correct=False, occurred_at=moment)], actor=ACTOR)


def test_first_steps(cast: Cast) -> None:
    assert slugs(give_answers(cast.learner, cast.track, 3, correct=False)) == set()
    assert slugs(give_answers(cast.learner, cast.track, 1)) == {"first-steps"}
    assert slugs(give_answers(cast.learner, cast.track, 1)) == set()


def test_speed_demon_at_the_tenth_fast_answer_and_not_the_ninth(cast: Cast) -> None:
    assert slugs(give_answers(cast.learner, cast.track, 9, response_ms=4999)) == {"first-steps"}
    assert slugs(give_answers(cast.learner, cast.track, 1, response_ms=4999)) == {"speed-demon"}


@pytest.mark.parametrize("slow", [5000, None])
def test_one_slow_answer_among_ten_is_too_many(cast: Cast, slow: int | None) -> None:
    give_answers(cast.learner, cast.track, 9, response_ms=100)
    give_answers(cast.learner, cast.track, 1, response_ms=slow)
    assert slugs(give_answers(cast.learner, cast.track, 9, response_ms=100)) == set()
    assert slugs(give_answers(cast.learner, cast.track, 1, response_ms=100)) == {"perfectionist", "speed-demon"}


def test_a_wrong_answer_between_does_not_slow_the_correct_ones_down(cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 5, response_ms=100)
    give_answers(cast.learner, cast.track, 1, correct=False, response_ms=60_000)
    assert "speed-demon" in slugs(give_answers(cast.learner, cast.track, 5, response_ms=100))


def test_perfectionist_across_tracks(cast: Cast) -> None:
    other = make_track(cast.organization)
    give_answers(cast.learner, cast.track, 10)
    assert "perfectionist" not in slugs(give_answers(cast.learner, other, 9))
    assert "perfectionist" in slugs(give_answers(cast.learner, other, 1))


def test_part_of_the_credit_breaks_a_streak(cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 19)
    give_answers(cast.learner, cast.track, 1, credit=Decimal("0.9999"))
    assert "perfectionist" not in slugs(give_answers(cast.learner, cast.track, 19))
    assert "perfectionist" in slugs(give_answers(cast.learner, cast.track, 1))


def test_consistent_whatever_the_order_in_which_the_days_arrive(cast: Cast) -> None:
    for days_ago in (2, 9, 5, 7, 3, 6):
        assert slugs(on_day(cast.learner, cast.track, days_ago)) == set()
    assert slugs(on_day(cast.learner, cast.track, 8)) == set()
    assert slugs(on_day(cast.learner, cast.track, 4)) == {"consistent"}


def test_days_are_those_of_the_learners_calendar(cast: Cast) -> None:
    """Each day at 23:30 and an hour later: six days in UTC, and seven in Auckland."""
    item = cast.track.items.all()[0]
    for learner, zone in ((cast.learner, "Pacific/Auckland"), (cast.colleague, "UTC")):
        learner.timezone = zone
        start = datetime(2026, 7, 1, 11, 30, tzinfo=UTC)
        moments = [start + timedelta(days=day, hours=hours) for day in range(6) for hours in (0, 1)]
        record([make_answer(learner, item, correct=False, occurred_at=at) for at in moments], actor=ACTOR)
    assert (earned(cast.learner), earned(cast.colleague)) == ({"consistent"}, set())


def test_knowledge_sharer_counts_different_artefacts(api: Api, cast: Cast) -> None:
    for artefact, shares in (("a", 1), ("a", 1), ("b", 2)):
        answer = api.post("/shares", {"artefactId": artefact}, by=cast.learner)
        assert (answer.status, answer.body) == (201, {"artefactId": artefact, "shares": shares})
    assert earned(cast.learner) == set()
    api.post("/shares", {"artefactId": "c", "learnerId": str(cast.learner.id)}, by=cast.admin)
    assert earned(cast.learner) == {"knowledge-sharer"}
    assert ManagerNotification.objects.filter(manager=cast.manager, type="badge").count() == 1


def test_lifelong_learner_after_five_tracks(cast: Cast) -> None:
    tracks = [make_track(cast.organization, items=1) for _ in range(5)]
    outcomes = [slugs(complete(cast.learner, track)) for track in tracks]
    assert ["lifelong-learner" in outcome for outcome in outcomes] == [False, False, False, False, True]


def test_a_track_completed_twice_counts_once(cast: Cast) -> None:
    track = make_track(cast.organization, items=1)
    for _ in range(6):
        complete(cast.learner, track)
    assert "lifelong-learner" not in earned(cast.learner)


def test_track_master(cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 200)
    assert "track-master" not in earned(cast.learner)
    assert "track-master" in slugs(give_answers(cast.learner, cast.track, 1))


def test_an_award_is_audited_counted_and_told_once(cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 30, response_ms=10)
    assert earned(cast.learner) == {"first-steps", "speed-demon", "perfectionist"}
    assert AuditEvent.objects.filter(type="badge_awarded").count() == 3
    assert kpis.totals(cast.organization.id)["badges_awarded"] == 3
    assert ManagerNotification.objects.filter(type="badge").count() == 3


def test_the_list_says_what_is_earned_and_what_remains(api: Api, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 1)
    body = api.get(f"/learners/{cast.learner.id}/badges", by=cast.manager).body
    assert [row["slug"] for row in body["badges"]] == ["first-steps"]
    assert (body["totalBadges"], body["earned"], body["remaining"], body["total"]) == (7, 1, 6, 1)


def test_the_admin_token_sees_an_empty_page_for_somebody_unknown(api: Api, cast: Cast) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    for path in ("badges", "levels"):
        answer = api.get(f"/learners/{unknown}/{path}", x_admin_token="dev-admin-token-12345")
        assert (answer.status, answer.body["total"]) == (200, 0)
    assert api.get(f"/learners/{unknown}/badges", by=cast.admin).status == 404
    assert api.get(f"/learners/{unknown}/badges", by=cast.learner).status == 403


def test_why_a_badge_was_earned_and_what_is_missing(api: Api, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 9, response_ms=10)
    missing = api.get(f"/learners/{cast.learner.id}/badges/speed-demon", by=cast.learner).body
    assert (missing["earned"], missing["earnedAt"], missing["evidence"]) == (False, None, None)
    assert missing["progress"] == {"current": 9, "target": 10}
    give_answers(cast.learner, cast.track, 1, response_ms=10)
    got = api.get(f"/learners/{cast.learner.id}/badges/speed-demon", by=cast.learner).body
    assert (got["earned"], got["progress"], got["ruleVersion"]) == (True, {"current": 10, "target": 10}, 1)
    assert got["evidence"]["trackId"] == str(cast.track.id)
    assert api.get(f"/learners/{cast.learner.id}/badges/no-such", by=cast.learner).status == 404
    assert api.get(f"/learners/{cast.learner.id}/badges/a%00b", by=cast.learner).status == 404


@pytest.mark.parametrize("slug", ["perfectionist", "consistent", "lifelong-learner", "track-master"])
def test_progress_of_every_kind(api: Api, cast: Cast, slug: str) -> None:
    give_answers(cast.learner, cast.track, 3)
    complete(cast.learner, cast.track)
    progress = api.get(f"/learners/{cast.learner.id}/badges/{slug}", by=cast.learner).body["progress"]
    assert (
        progress
        == {
            "perfectionist": {"current": 7, "target": 20},
            "consistent": {"current": 1, "target": 7},
            "lifelong-learner": {"current": 1, "target": 5},
            "track-master": {"current": 0, "target": 1},
        }[slug]
    )


# -- rules as staff edit them --


def test_an_edit_makes_a_new_version_and_what_was_earned_stays(cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 20)
    badge = Badge.objects.get(slug="perfectionist")
    rule = save_badge(badge, BadgeRule(kind=RuleKind.STREAK, count=3), actor=ACTOR)
    assert rule.version == 2
    assert "perfectionist" in earned(cast.learner)
    assert "perfectionist" in slugs(give_answers(cast.colleague, cast.track, 3))
    assert LearnerBadge.objects.get(learner=cast.colleague, badge=badge).rule == rule
    assert AuditEvent.objects.filter(type="badge_changed").count() == 1


def test_the_same_criteria_make_no_new_version(cast: Cast) -> None:
    badge = Badge.objects.get(slug="perfectionist")
    badge.name = "Faultless"
    assert save_badge(badge, BadgeRule(kind=RuleKind.STREAK, count=20), actor=ACTOR).version == 1
    assert Badge.objects.get(slug="perfectionist").name == "Faultless"


def test_a_new_speed_rule_looks_at_the_latest_answers(cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 4, response_ms=900)
    badge = Badge(slug="lightning", name="Lightning", description="Very fast.", icon="⚡")
    save_badge(badge, BadgeRule(kind=RuleKind.SPEED, count=5, under_ms=1000), actor=ACTOR)
    assert "lightning" in slugs(give_answers(cast.learner, cast.track, 1, response_ms=900))


def test_a_later_speed_rule_of_the_same_limit_may_ask_for_more(cast: Cast) -> None:
    """What the first one began to count is long enough for the second."""
    give_answers(cast.learner, cast.track, 30, response_ms=900)
    for slug, count in (("quick", 5), ("quicker", 32)):
        badge = Badge(slug=slug, name=slug, description="Fast.", icon="⚡")
        save_badge(badge, BadgeRule(kind=RuleKind.SPEED, count=count, under_ms=1000), actor=ACTOR)
        assert slug in slugs(give_answers(cast.learner, cast.track, 1, response_ms=900))


def test_a_completion_is_the_evidence_whether_awarded_at_once_or_caught_up(cast: Cast) -> None:
    def new_badge(slug: str) -> None:
        badge = Badge(slug=slug, name=slug, description="One track.", icon="t")
        save_badge(badge, BadgeRule(kind=RuleKind.TRACKS_COMPLETED, count=1), actor=ACTOR)

    new_badge("live")
    assert "live" in slugs(complete(cast.learner, cast.track))
    new_badge("late")
    award_missing(cast.learner, actor=ACTOR)
    live, late = (LearnerBadge.objects.get(badge__slug=slug) for slug in ("live", "late"))
    completion = Completion.objects.get()
    assert (live.earned_at, live.evidence) == (late.earned_at, late.evidence)
    assert (live.earned_at, live.evidence["completionId"]) == (completion.completed_at, str(completion.id))


def test_a_share_is_no_evidence_of_a_streak(cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 5)
    badge = Badge(slug="five", name="Five", description="In a row.", icon="5")
    save_badge(badge, BadgeRule(kind=RuleKind.STREAK, count=5), actor=ACTOR)
    share(cast.learner, "a", client_id=None, occurred_at=None, actor=ACTOR)
    assert "five" not in earned(cast.learner)
    assert "five" in slugs(give_answers(cast.learner, cast.track, 1))


def test_progress_in_days_is_the_run_of_her_latest_day(api: Api, cast: Cast) -> None:
    """It reads as many days as the rule asks for, however many there are."""
    for days_ago in (40, 39, 38, 37, 4, 3):
        on_day(cast.learner, cast.track, days_ago)
    path = f"/learners/{cast.learner.id}/badges/consistent"
    assert api.get(path, by=cast.learner).body["progress"] == {"current": 2, "target": 7}
    long_ago = [LearnerDay(learner=cast.learner, day=date(2020, 1, 1) + timedelta(days=2 * n)) for n in range(500)]
    LearnerDay.objects.bulk_create(long_ago)
    with CaptureQueriesContext(connection) as queries:
        explain(cast.learner, Badge.objects.get(slug="consistent"))
    [read] = [query["sql"] for query in queries if "learner_days" in query["sql"]]
    assert "LIMIT 7" in read


def test_progress_of_a_new_speed_rule_looks_at_the_latest_answers(api: Api, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 4, response_ms=900)
    badge = Badge(slug="lightning", name="Lightning", description="Very fast.", icon="⚡")
    save_badge(badge, BadgeRule(kind=RuleKind.SPEED, count=5, under_ms=1000), actor=ACTOR)
    progress = api.get(f"/learners/{cast.learner.id}/badges/lightning", by=cast.learner).body["progress"]
    assert progress == {"current": 4, "target": 5}


@pytest.mark.parametrize(
    ("criteria", "field"),
    [
        ({"kind": "speed", "count": 3}, "under_ms"),
        ({"kind": "streak"}, "count"),
        ({"kind": "streak", "count": 0}, "count"),
        ({"kind": "level_reached"}, "level"),
        ({"kind": "level_reached", "level": Level.NOVICE}, "level"),
        ({"kind": "streak", "count": 3, "level": Level.EXPERT}, "level"),
        ({"kind": "unheard_of", "count": 3}, "kind"),
    ],
)
def test_criteria_that_do_not_fit_their_kind_are_refused(db: None, criteria: dict[str, Any], field: str) -> None:
    badge = Badge(slug="odd", name="Odd", description="Odd.", icon="?")
    with pytest.raises(ValidationError) as refused:
        save_badge(badge, BadgeRule(**criteria), actor=ACTOR)
    assert field in refused.value.message_dict
    assert not Badge.objects.filter(slug="odd").exists()


def test_seeding_again_changes_nothing_that_staff_edited(db: None) -> None:
    badge = Badge.objects.get(slug="consistent")
    badge.name = "Steady"
    save_badge(badge, BadgeRule(kind=RuleKind.DAILY_STREAK, count=3), actor=ACTOR)
    assert seed_badges(apps, "default") == 0
    again = Badge.objects.get(slug="consistent")
    assert (again.name, again.rules.get(superseded_at=None).count) == ("Steady", 3)


def test_an_inactive_badge_is_not_awarded_and_not_shown_as_missing(api: Api, cast: Cast) -> None:
    Badge.objects.filter(slug="first-steps").update(is_active=False)
    assert slugs(give_answers(cast.learner, cast.track, 1)) == set()
    assert api.get(f"/learners/{cast.learner.id}/badges", by=cast.learner).body["totalBadges"] == 6
    assert api.get(f"/learners/{cast.learner.id}/badges/first-steps", by=cast.learner).status == 404


def test_a_secret_shown_in_evidence_would_be_seen(api: Api, cast: Cast) -> None:
    """Evidence names what earned the badge, and nothing of the credential."""
    secret = make_token(cast.learner)
    item = cast.track.items.all()[0]
    row = {"trackId": str(cast.track.id), "itemId": str(item.id), "correct": True}
    api.post("/attempts", row, by=secret)
    evidence = api.get(f"/learners/{cast.learner.id}/badges/first-steps", by=secret).body["evidence"]
    assert set(evidence) == {"attemptId", "trackId", "criteria", "current"}
