"""The admin's front page: how much there is, whether the worker lives, what happened last."""

from typing import Any

from django.http import HttpRequest

from audit import kpis
from audit.models import AuditEvent
from audit.naming import Names
from cerply import clock
from ops import features, health
from ops.models import FeatureEnrolment, JobOutcome, JobRun
from ops.punctuality import PATIENCE, punctuality

LATEST = 12


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's ``DASHBOARD_CALLBACK``."""
    events = list(AuditEvent.objects.order_by("-id")[:LATEST])
    names = Names(events)
    moment = clock.now()
    return {
        **context,
        "kpis": [(name.replace("_", " ").capitalize(), amount) for name, amount in kpis.totals().items()],
        "worker_age": health.worker_age_seconds(),
        "late_jobs": [each for each in punctuality() if each.overdue(moment) > PATIENCE],
        "failed_jobs": JobRun.objects.filter(outcome=JobOutcome.GAVE_UP).order_by("-window")[:3],
        "features": [
            (
                feature.label,
                features.switched_on(feature),
                FeatureEnrolment.objects.filter(feature=feature, effective=True).count(),
            )
            for feature in features.Feature
        ],
        "events": [
            (event, names.of("user", event.actor_id), names.of("organization", event.organization_id))
            for event in events
        ],
    }
