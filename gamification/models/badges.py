"""Badges, the rules by which they are earned, and who has earned them."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.identifiers import uuid7
from cerply.tenancy import TenantQuerySet
from cerply.tracks.models import Track
from gamification.levels import Level


class Badge(models.Model):
    """Something that can be earned once. How, says its current `BadgeRule`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=500)
    icon = models.CharField(max_length=16, help_text="An emoji.")
    is_active = models.BooleanField(default=True, help_text="An inactive badge is no longer awarded.")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        db_table = "badges"
        ordering = ["position", "slug"]

    def __str__(self) -> str:
        return self.name


class RuleKind(models.TextChoices):
    """What a rule counts. ``count`` is the target of all but ``level_reached``."""

    CORRECT_ANSWERS = "correct_answers", "Correct answers"
    SPEED = "speed", "Latest correct answers, each fast"
    STREAK = "streak", "Correct answers in a row"
    DAILY_STREAK = "daily_streak", "Days in a row with an answer"
    SHARES = "shares", "Artefacts shared"
    TRACKS_COMPLETED = "tracks_completed", "Tracks completed"
    LEVEL_REACHED = "level_reached", "Level reached in a track"


LARGEST_COUNT = {RuleKind.SPEED: 1000, RuleKind.DAILY_STREAK: 1000}


class BadgeRule(models.Model):
    """One version of how a badge is earned. Rules are never changed: an edit makes the next version."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    badge = models.ForeignKey(Badge, on_delete=models.PROTECT, related_name="rules")
    version = models.PositiveIntegerField()
    kind = models.CharField(max_length=32, choices=RuleKind)
    count = models.PositiveIntegerField(null=True, blank=True, help_text="How many; all kinds but a level need it.")
    under_ms = models.PositiveIntegerField(
        null=True, blank=True, verbose_name="under (ms)", help_text="Faster than so many milliseconds; for speed."
    )
    level = models.CharField(max_length=16, choices=Level, blank=True, help_text="For a level reached.")
    track = models.ForeignKey(
        Track,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="For a level reached: in this track alone.",
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)
    superseded_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        db_table = "badge_rules"
        ordering = ["badge", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["badge", "version"], name="badge_rules_version_unique"),
            models.UniqueConstraint(
                fields=["badge"], condition=Q(superseded_at=None), name="badge_rules_one_current_per_badge"
            ),
            models.CheckConstraint(
                condition=Q(kind=RuleKind.LEVEL_REACHED, count=None, under_ms=None) & ~Q(level__in=["", Level.NOVICE])
                | Q(kind=RuleKind.SPEED, count__gte=1, under_ms__gte=1, level="", track=None)
                | Q(
                    kind__in=[
                        RuleKind.CORRECT_ANSWERS,
                        RuleKind.STREAK,
                        RuleKind.DAILY_STREAK,
                        RuleKind.SHARES,
                        RuleKind.TRACKS_COMPLETED,
                    ],
                    count__gte=1,
                    under_ms=None,
                    level="",
                    track=None,
                ),
                name="badge_rules_criteria_fit_the_kind",
                violation_error_message="The criteria do not fit the kind of the rule.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.criteria()} (version {self.version})"

    def clean(self) -> None:
        """Names the field that does not fit the kind."""
        problems: dict[str, str] = {}
        is_level, is_speed = self.kind == RuleKind.LEVEL_REACHED, self.kind == RuleKind.SPEED
        if is_level:
            if self.level in {"", Level.NOVICE}:
                problems["level"] = "Choose the level that earns the badge; everybody is a novice."
            if self.count is not None:
                problems["count"] = "A level has no count."
        else:
            most = LARGEST_COUNT.get(RuleKind(self.kind), 2**31 - 1) if self.kind in RuleKind.values else None
            if not self.count:
                problems["count"] = "Say how many earn the badge; at least 1."
            elif most and self.count > most:
                problems["count"] = f"At most {most} for this kind."
            if self.level:
                problems["level"] = "Only for a level reached."
            if self.track_id:
                problems["track"] = "Only for a level reached."
        if is_speed and not self.under_ms:
            problems["under_ms"] = "Say how fast each answer must be, in milliseconds."
        if not is_speed and self.under_ms is not None:
            problems["under_ms"] = "Only for speed."
        if problems:
            raise ValidationError(problems)

    @property
    def target(self) -> int:
        """What `current` of the progress must reach."""
        return self.count or 1

    def same_criteria(self, other: "BadgeRule") -> bool:
        return self.values() == other.values()

    def values(self) -> dict[str, Any]:
        """The criteria as the audit and the evidence keep them."""
        return {
            "kind": self.kind,
            "count": self.count,
            "underMs": self.under_ms,
            "level": self.level or None,
            "trackId": str(self.track_id) if self.track_id else None,
        }

    def criteria(self) -> str:
        """The rule as a sentence for people."""
        match self.kind:
            case RuleKind.CORRECT_ANSWERS:
                return f"{self.count} correct answers" if self.count != 1 else "the first correct answer"
            case RuleKind.SPEED:
                return f"the {self.count} latest correct answers each took under {(self.under_ms or 0) / 1000:g} s"
            case RuleKind.STREAK:
                return f"{self.count} correct answers in a row"
            case RuleKind.DAILY_STREAK:
                return f"at least one answer on each of {self.count} days in a row"
            case RuleKind.SHARES:
                return f"{self.count} artefacts shared with the team"
            case RuleKind.TRACKS_COMPLETED:
                return f"{self.count} tracks completed"
        return f"level {self.level} in {self.track or 'a track'}"


class LearnerBadge(models.Model):
    """A badge that was earned. It stays, whatever becomes of the rule."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="learner_badges", db_index=False)
    badge = models.ForeignKey(Badge, on_delete=models.PROTECT, related_name="learner_badges")
    rule = models.ForeignKey(BadgeRule, on_delete=models.PROTECT, related_name="+")
    earned_at = models.DateTimeField()
    # What earned it: {"current": 20, "attemptId": "…"}, or the track, the share, the completion.
    evidence = models.JSONField(default=dict)

    objects = TenantQuerySet["LearnerBadge"].as_manager()

    class Meta:
        db_table = "learner_badges"
        ordering = ["-earned_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["learner", "badge"], name="learner_badges_once")]
        indexes = [
            # GET /api/learners/{id}/badges, newest first.
            models.Index(fields=["learner", "-earned_at", "-id"], name="learner_badges_by_learner"),
        ]

    def __str__(self) -> str:
        return f"{self.learner_id} earned {self.badge_id}"
