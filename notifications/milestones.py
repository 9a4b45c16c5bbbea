"""Telling managers what the members of their teams have reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from cerply import clock
from cerply.accounts.access import managers_of
from cerply.accounts.models import User
from cerply.forgetting import Forgotten
from cerply.permissions import Actor
from notifications.models import Delivery, ManagerNotification, NotificationType
from notifications.webhooks.enqueueing import owe
from ops.features import Feature, is_on


@dataclass(frozen=True, slots=True)
class Milestone:
    """Something to tell; ``cause_id`` tells it apart from everything else that is told."""

    type: NotificationType
    learner: User
    cause_id: UUID
    content: Mapping[str, Any]


@transaction.atomic
def announce(milestones: Sequence[Milestone]) -> None:
    """A row for each active manager of the learner, once whatever teams they share; each owes an e-mail or a reason."""
    organizations = {milestone.learner.member_of for milestone in milestones}
    listening = {
        organization_id for organization_id in organizations if is_on(Feature.MANAGER_NOTIFICATIONS, organization_id)
    }
    told = [milestone for milestone in milestones if milestone.learner.member_of in listening]
    if not told:
        return
    owe(told)
    managers = managers_of({milestone.learner.id for milestone in told})
    now = clock.now()
    rows = [
        ManagerNotification(
            organization_id=milestone.learner.member_of,
            manager_id=manager_id,
            learner=milestone.learner,
            type=milestone.type,
            cause_id=milestone.cause_id,
            content={"learnerName": milestone.learner.name, **milestone.content},
            sent_at=now,
        )
        for milestone in told
        for manager_id in sorted(managers.get(milestone.learner.id, ()))
    ]
    # In one order for everybody, so that two who tell the same wait for each other and do not deadlock.
    rows.sort(key=lambda row: (row.manager_id, row.cause_id))
    ManagerNotification.objects.bulk_create(rows, ignore_conflicts=True)
    Delivery.objects.open_for([row.id for row in rows])


@transaction.atomic
def forget_names(person: Forgotten, *, actor: Actor) -> int:
    """Takes her names out of what was told of her by then; who erases them audits it."""
    told = ManagerNotification.objects.filter(learner_id=person.learner_id, sent_at__lte=person.until)
    changed = []
    for row in told.order_by("id").select_for_update(no_key=True):
        content = person.out_of_json(row.content)
        if content != row.content:
            row.content = content
            changed.append(row)
    ManagerNotification.objects.bulk_update(changed, ["content"], batch_size=500)
    return len(changed)
