from gamification.models.badges import LARGEST_COUNT, Badge, BadgeRule, LearnerBadge, RuleKind
from gamification.models.bulk import BulkIssue
from gamification.models.credentials import BadgeCredential
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
    "LARGEST_COUNT",
    "Attempt",
    "Badge",
    "BadgeCredential",
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
