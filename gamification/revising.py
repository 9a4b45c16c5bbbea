"""Badges as staff edit them: criteria are never changed, an edit makes the next version."""

from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.permissions import Actor
from gamification.models import Badge, BadgeRule

# Fields of the badge by the name that the audit gives them; its slug stays.
FIELDS = {
    "name": "name",
    "description": "description",
    "icon": "icon",
    "position": "position",
    "active": "is_active",
}


@transaction.atomic
def save_badge(badge: Badge, rule: BadgeRule, *, actor: Actor) -> BadgeRule:
    """Stores the badge, and ``rule`` as its next version unless its criteria are the current ones.

    What was earned by an older version stays earned. Raises `ValidationError` for criteria that do not fit their kind.
    """
    is_new = badge._state.adding
    before = None if is_new else Badge.objects.select_for_update().get(pk=badge.pk)
    badge.full_clean()
    badge.save()
    current = badge.rules.filter(superseded_at=None).first()
    changes = {
        name: {"before": getattr(before, attribute, None), "after": getattr(badge, attribute)}
        for name, attribute in FIELDS.items()
        if getattr(before, attribute, None) != getattr(badge, attribute)
    }
    if current is None or not current.same_criteria(rule):
        if current:
            current.superseded_at = clock.now()
            current.save(update_fields=["superseded_at"])
        rule.badge = badge
        rule.version = current.version + 1 if current else 1
        rule.full_clean()
        rule.save(force_insert=True)
        changes["criteria"] = {"before": current.values() if current else None, "after": rule.values()}
        current = rule
    if not changes:
        return current
    record(
        Event(
            EventType.BADGE_CREATED if is_new else EventType.BADGE_CHANGED,
            None,
            subject_kind="badge",
            subject_id=badge.id,
            metadata={"slug": badge.slug, "ruleVersion": current.version, "changes": changes},
        ),
        actor=actor,
    )
    return current
