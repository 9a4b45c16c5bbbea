"""Why a badge was earned, or what is missing."""

from dataclasses import dataclass

from cerply.accounts.models import User
from gamification.levels import Level, is_at_least
from gamification.models import Badge, BadgeRule, LearnerBadge, LearnerDay, LearnerLevel, LearnerStanding, RuleKind
from gamification.rules import Tally, longest_run


@dataclass(frozen=True, slots=True)
class Explanation:
    """``award`` is None while the badge is not earned; ``current`` never exceeds the rule's target."""

    badge: Badge
    rule: BadgeRule
    award: LearnerBadge | None
    current: int


def explain(learner: User, badge: Badge) -> Explanation:
    """Reads rows of the learner alone, at most a few for each of her tracks or days."""
    award = LearnerBadge.objects.filter(learner=learner, badge=badge).select_related("rule").first()
    if award:
        return Explanation(badge, award.rule, award, award.rule.target)
    rule = badge.rules.get(superseded_at=None)
    return Explanation(badge, rule, None, min(_current(learner, rule), rule.target))


def _current(learner: User, rule: BadgeRule) -> int:
    match rule.kind:
        case RuleKind.DAILY_STREAK:
            return longest_run(LearnerDay.objects.filter(learner=learner).values_list("day", flat=True))
        case RuleKind.LEVEL_REACHED:
            levels = LearnerLevel.objects.filter(learner=learner)
            if rule.track_id:
                levels = levels.filter(track_id=rule.track_id)
            wanted = Level(rule.level)
            return int(any(is_at_least(Level(level), wanted) for level in levels.values_list("level", flat=True)))
    standing = LearnerStanding.objects.filter(learner=learner).first()
    return Tally.of(standing).current(rule) if standing else 0
