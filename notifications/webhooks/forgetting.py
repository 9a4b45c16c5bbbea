"""Names in what endpoints are owed, or were sent."""

import json

from django.db import transaction

from cerply.forgetting import Forgotten
from cerply.permissions import Actor
from notifications.models import WebhookDelivery
from notifications.webhooks.enqueueing import written


@transaction.atomic
def forget_names(person: Forgotten, *, actor: Actor) -> int:
    """Takes her names out of what was told of her by then; who erases them audits it.

    What is sent afterwards, once more or for the first time, is without them, under the id that it had.
    """
    told = WebhookDelivery.objects.filter(learner_id=person.learner_id, created_at__lte=person.until)
    changed = []
    for row in told.order_by("id").select_for_update(no_key=True):
        body = written(person.out_of_json(json.loads(row.body)))
        if body != row.body:
            row.body = body
            changed.append(row)
    WebhookDelivery.objects.bulk_update(changed, ["body"], batch_size=500)
    return len(changed)
