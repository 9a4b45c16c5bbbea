from gamification.models.badges import Badge, BadgeRule, LearnerBadge, RuleKind
from gamification.models.bulk import BulkIssue
from gamification.models.progress import (
    Attempt,
    Completion,
    LearnerDay,
    LearnerItem,
    LearnerLevel,
    LearnerStanding,
    Share,
)

__all__ = [
    "Attempt",
    "Badge",
    "BadgeRule",
    "BulkIssue",
    "Completion",
    "LearnerBadge",
    "LearnerDay",
    "LearnerItem",
    "LearnerLevel",
    "LearnerStanding",
    "RuleKind",
    "Share",
]
