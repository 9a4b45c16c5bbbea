from gamification.models.badges import Badge, BadgeRule, LearnerBadge, RuleKind
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
    "Attempt",
    "Badge",
    "BadgeCredential",
    "BadgeRule",
    "Completion",
    "LearnerBadge",
    "LearnerDay",
    "LearnerItem",
    "LearnerLevel",
    "LearnerStanding",
    "RuleKind",
    "Share",
]
