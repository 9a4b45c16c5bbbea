"""Deleting what is long past."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from cerply import clock
from notifications.models import EndpointState, WebhookDelivery, WebhookEndpoint, WebhookNotice

KEEP = timedelta(days=30)
STEP = 1000


def clean_up() -> str:
    """The job: deliveries and notices that were done with 30 days ago, and deleted endpoints that have none left."""
    before = clock.now() - KEEP
    deliveries = _delete(WebhookDelivery.objects.filter(finished_at__lt=before).order_by("finished_at"))
    notices = _delete(WebhookNotice.objects.filter(finished_at__lt=before).order_by("finished_at"))
    deleted = WebhookEndpoint.objects.filter(state=EndpointState.DELETED, disabled_at__lt=before)
    left = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"))
    endpoints = deleted.filter(~Exists(left)).delete()[1].get(WebhookEndpoint._meta.label, 0)
    return f"Deleted {deliveries} webhook deliveries, {notices} notices and {endpoints} endpoints."


def _delete(rows: QuerySet[WebhookDelivery] | QuerySet[WebhookNotice]) -> int:
    """So many at a time."""
    total = 0
    while True:
        with transaction.atomic():
            chosen = list(rows.select_for_update(skip_locked=True).values_list("id", flat=True)[:STEP])
            total += rows.model._base_manager.filter(id__in=chosen).delete()[0]
        if len(chosen) < STEP:
            return total
