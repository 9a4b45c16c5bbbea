import sys
from typing import Any

from django.apps import AppConfig
from django.apps import apps as global_apps
from django.db.models.signals import post_migrate


class OpsConfig(AppConfig):
    name = "ops"
    verbose_name = "Operations"

    def ready(self) -> None:
        from django_q.signals import post_spawn

        from ops import heartbeats, orphans

        post_migrate.connect(after_migrate, sender=self)
        post_spawn.connect(heartbeats.start, dispatch_uid="ops.heartbeats")
        if sys.argv[1:2] == ["qcluster"]:
            orphans.end_with_parent()


def after_migrate(using: str, apps: Any = global_apps, **kwargs: Any) -> None:
    """Every ``migrate`` leaves the schedules of the code, and a row for each feature."""
    from ops import schedules
    from ops.models import Feature

    if using != "default":
        return
    try:
        apps.get_model("django_q", "Schedule")
        rollouts = apps.get_model("ops", "FeatureRollout")
    except LookupError:  # it was told to stop at a state without our tables
        return
    schedules.sync()
    for feature in Feature:
        rollouts.objects.get_or_create(feature=feature.value)
