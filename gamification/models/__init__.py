from gamification.models.at_risk import AtRiskEpisode, AtRiskPolicy, AtRiskReason, AtRiskWatch, Difference, Finding
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
    "AtRiskEpisode",
    "AtRiskPolicy",
    "AtRiskReason",
    "AtRiskWatch",
    "Attempt",
    "Badge",
    "BadgeCredential",
    "BadgeRule",
    "BulkIssue",
    "Completion",
    "Difference",
    "Finding",
    "LearnerBadge",
    "LearnerDay",
    "LearnerItem",
    "LearnerLevel",
    "LearnerStanding",
    "RuleKind",
    "Share",
]
