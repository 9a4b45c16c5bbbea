"""Why a badge was earned, or what is missing."""

from dataclasses import dataclass

from cerply.accounts.models import User
from gamification.awarding import tallies_of
from gamification.levels import Level, is_at_least
from gamification.models import Badge, BadgeRule, LearnerBadge, LearnerDay, LearnerLevel, LearnerStanding, RuleKind
from gamification.rules import run_of_days


@dataclass(frozen=True, slots=True)
class Explanation:
    """``award`` is None while the badge is not earned; ``current`` never exceeds the rule's target."""

    badge: Badge
    rule: BadgeRule
    award: LearnerBadge | None
    current: int


def explain(learner: User, badge: Badge) -> Explanation:
    """Reads no more of her history than the rule can ask for."""
    award = LearnerBadge.objects.filter(learner=learner, badge=badge).select_related("rule").first()
    if award:
        return Explanation(badge, award.rule, award, award.rule.target)
    rule = badge.rules.get(superseded_at=None)
    return Explanation(badge, rule, None, min(_current(learner, rule), rule.target))


def _current(learner: User, rule: BadgeRule) -> int:
    match rule.kind:
        case RuleKind.DAILY_STREAK:
            return _latest_run(learner, rule.target)
        case RuleKind.LEVEL_REACHED:
            high_enough = [level for level in Level if is_at_least(level, Level(rule.level))]
            levels = LearnerLevel.objects.filter(learner=learner, level__in=high_enough)
            return int((levels.filter(track_id=rule.track_id) if rule.track_id else levels).exists())
    standing = LearnerStanding.objects.filter(learner=learner).first()
    return tallies_of({learner.id: standing}, [rule], {})[learner.id].current(rule) if standing else 0


def _latest_run(learner: User, target: int) -> int:
    """How many days in a row end with her latest one: an earlier run can hardly be gone on with."""
    days = set(LearnerDay.objects.filter(learner=learner).order_by("-day").values_list("day", flat=True)[:target])
    return run_of_days(days, max(days), target) if days else 0
