"""Badges in the admin."""

from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from cerply.accounts.models import User
from gamification.models import Badge, BadgeRule, LearnerBadge
from gamification.seeding import seed_badges
from tests.console import events, page_of, typed
from tests.factories import (
    Cast,
    complete,
)


def test_a_badge_is_edited_and_criteria_that_do_not_fit_are_refused(console: Client) -> None:
    badge = Badge.objects.get(slug="perfectionist")
    path = page_of(Badge, "change", badge.pk)
    page = console.post(path, typed(console, path, count=""))
    assert "Say how many earn the badge" in page.content.decode()
    assert console.post(path, typed(console, path, count=5)).status_code == 302
    assert BadgeRule.objects.get(badge=badge, superseded_at=None).count == 5
    [event] = events("badge_changed")
    assert event.actor_label == "staff"
    assert event.metadata["changes"]["criteria"]["before"]["count"] == 20
    assert event.metadata["changes"]["criteria"]["after"]["count"] == 5
    assert "5 correct answers in a row" in console.get(page_of(Badge, "changelist")).content.decode()


def test_what_changed_of_a_badge_is_audited_and_nothing_when_nothing_did(console: Client) -> None:
    badge = Badge.objects.get(slug="perfectionist")
    path = page_of(Badge, "change", badge.pk)
    assert console.post(path, typed(console, path)).status_code == 302
    assert events("badge_changed") == []
    assert console.post(path, typed(console, path, name="Flawless", is_active=False)).status_code == 302
    [event] = events("badge_changed")
    assert event.metadata["changes"] == {
        "name": {"before": "Perfectionist", "after": "Flawless"},
        "active": {"before": True, "after": False},
    }
    assert badge.rules.count() == 1


@pytest.mark.parametrize(
    ("slug", "values"),
    [
        ("speed-demon", {"under_ms": 2**31}),
        ("speed-demon", {"under_ms": 10**30}),
        ("speed-demon", {"count": 2**31}),
        ("speed-demon", {"count": -1}),
        ("perfectionist", {"count": 2**63}),
        ("perfectionist", {"position": 2**15}),
        ("perfectionist", {"name": "Per\u202efectionist"}),
    ],
)
def test_what_is_out_of_bounds_is_refused(console: Client, slug: str, values: dict[str, Any]) -> None:
    badge = Badge.objects.get(slug=slug)
    path = page_of(Badge, "change", badge.pk)
    answer = console.post(path, typed(console, path, **values))
    assert answer.status_code == 200
    assert answer.context["errors"]


def test_a_slug_stays_so_that_seeding_adds_nothing_again(console: Client) -> None:
    badge = Badge.objects.get(slug="perfectionist")
    path = page_of(Badge, "change", badge.pk)
    assert console.post(path, typed(console, path, slug="flawless", name="Flawless")).status_code == 302
    badge.refresh_from_db()
    assert (badge.slug, badge.name) == ("perfectionist", "Flawless")
    assert seed_badges(apps, "default") == 0


def test_a_badge_of_a_track_picks_it_and_does_not_list_all(console: Client, cast: Cast) -> None:
    badge = Badge.objects.get(slug="track-master")
    path = page_of(Badge, "change", badge.pk)
    assert "Fire Safety" not in console.get(path).content.decode()
    assert console.post(path, typed(console, path, track=str(cast.track.id))).status_code == 302
    assert badge.rules.get(superseded_at=None).track == cast.track


def test_lists_name_the_learner_and_show_text_as_it_is(console: Client, cast: Cast) -> None:
    complete(cast.learner, cast.track)
    earned = LearnerBadge.objects.filter(learner=cast.learner).first()
    assert earned
    LearnerBadge.objects.filter(id=earned.id).update(evidence={"title": "Überblick"})
    assert "Überblick" in console.get(page_of(LearnerBadge, "change", earned.pk)).content.decode()
    page = console.get(page_of(LearnerBadge, "changelist")).content.decode()
    assert "Maya Lindqvist" in page
    assert page_of(User, "change", cast.learner.pk) in page
    found = console.get(page_of(LearnerBadge, "changelist"), {"q": cast.learner.email.upper()})
    assert found.context["cl"].result_count >= 1


def test_a_page_of_a_badge_that_was_open_for_long_changes_only_what_was_changed_in_it(console: Client) -> None:
    badge = Badge.objects.get(slug="perfectionist")
    path = page_of(Badge, "change", badge.pk)
    stale = typed(console, path)
    console.post(path, typed(console, path, count=30, description="Thirty."))
    assert console.post(path, stale | {"name": "Flawless"}).status_code == 302
    badge.refresh_from_db()
    assert (badge.name, badge.description) == ("Flawless", "Thirty.")
    assert badge.rules.get(superseded_at=None).count == 30
