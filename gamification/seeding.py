"""The badges that every installation starts with."""

from typing import Any

from django.apps import apps as global_apps
from django.apps.registry import Apps
from django.db import transaction

from gamification.levels import Level
from gamification.models.badges import RuleKind

BADGES: list[tuple[str, str, str, str, dict[str, Any]]] = [
    (
        "first-steps",
        "First Steps",
        "Answered a first question correctly.",
        "🌱",
        {"kind": RuleKind.CORRECT_ANSWERS, "count": 1},
    ),
    (
        "speed-demon",
        "Speed Demon",
        "Gave 10 correct answers in a row in under 5 seconds each.",
        "⚡",
        {"kind": RuleKind.SPEED, "count": 10, "under_ms": 5000},
    ),
    (
        "perfectionist",
        "Perfectionist",
        "Answered 20 questions in a row correctly.",
        "🎯",
        {"kind": RuleKind.STREAK, "count": 20},
    ),
    (
        "consistent",
        "Consistent",
        "Answered on each of 7 days in a row.",
        "📅",
        {"kind": RuleKind.DAILY_STREAK, "count": 7},
    ),
    (
        "knowledge-sharer",
        "Knowledge Sharer",
        "Shared 3 artefacts with the team.",
        "🤝",
        {"kind": RuleKind.SHARES, "count": 3},
    ),
    (
        "lifelong-learner",
        "Lifelong Learner",
        "Completed 5 tracks.",
        "📚",
        {"kind": RuleKind.TRACKS_COMPLETED, "count": 5},
    ),
    (
        "track-master",
        "Track Master",
        "Became a master of a track.",
        "🏆",
        {"kind": RuleKind.LEVEL_REACHED, "level": Level.MASTER},
    ),
]


def seed_badges(apps: Apps, using: str) -> int:
    """Adds the badges that are missing, by slug; touches none that is there. Returns how many it added."""
    badge_model, rule_model = apps.get_model("gamification", "Badge"), apps.get_model("gamification", "BadgeRule")
    added = 0
    for position, (slug, name, description, icon, criteria) in enumerate(BADGES, start=1):
        with transaction.atomic(using=using):
            badge, created = badge_model._default_manager.using(using).get_or_create(
                slug=slug, defaults={"name": name, "description": description, "icon": icon, "position": position}
            )
            if created:
                rule_model._default_manager.using(using).create(badge=badge, version=1, **criteria)
                added += 1
    return added


def seed_after_migrate(using: str, apps: Apps = global_apps, **kwargs: Any) -> None:
    """``post_migrate``: every migrated database has them, a test's flushed one too."""
    try:
        apps.get_model("gamification", "BadgeRule")
    except LookupError:
        return
    seed_badges(apps, using)
