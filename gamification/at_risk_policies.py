"""What an organization calls at risk; the job goes by it from its next run on."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.accounts.models import Organization
from cerply.permissions import Actor
from gamification.models import AtRiskPolicy

# Fields of the policy by the name that the API and the audit give them.
FIELDS = {
    "comprehension": "comprehension",
    "share": "share",
    "answers": "answers",
    "leastAnswers": "least_answers",
    "silence": "silence",
    "days": "days",
}


def policy_of(organization_id: UUID) -> AtRiskPolicy:
    """The organization's, or what holds while it has said nothing."""
    known = AtRiskPolicy.objects.filter(organization_id=organization_id).first()
    return known or AtRiskPolicy(organization_id=organization_id)


@transaction.atomic
def set_policy(organization_id: UUID, values: Mapping[str, Any], *, actor: Actor) -> AtRiskPolicy:
    """What is left out stays. Raises `ValidationError` for what does not go together."""
    # Two who save at once do so after each other.
    Organization.objects.locked().get(id=organization_id)
    policy = policy_of(organization_id)
    changes = {}
    for name, attribute in FIELDS.items():
        before = getattr(policy, attribute)
        if name in values and values[name] != before:
            setattr(policy, attribute, values[name])
            changes[name] = {"before": before, "after": values[name]}
    if changes:
        policy.changed_at = clock.now()
        policy.full_clean(validate_unique=False)
        policy.save()
        event = Event(
            EventType.AT_RISK_POLICY_CHANGED, organization_id, "organization", organization_id, {"changes": changes}
        )
        record(event, actor=actor)
    return policy
