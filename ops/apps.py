import sys
from typing import Any

from django.apps import AppConfig
from django.apps import apps as global_apps
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate


class OpsConfig(AppConfig):
    name = "ops"
    verbose_name = "Operations"

    def ready(self) -> None:
        from django_q.signals import post_spawn

        # Whoever tells the metrics tells of each tally, from 0 on; the counts are known to `limits` by their scheme.
        import ops.broker
        import ops.counting  # noqa: F401
        from ops import gauges, heartbeats, orphans, watching

        post_migrate.connect(after_migrate, sender=self)
        post_spawn.connect(heartbeats.start, dispatch_uid="ops.heartbeats")
        connection_created.connect(watching.watch_connection, dispatch_uid="ops.watching")
        gauges.register_all()
        if sys.argv[1:2] == ["qcluster"]:
            orphans.end_with_parent()


def after_migrate(using: str, apps: Any = global_apps, **kwargs: Any) -> None:
    """Every ``migrate`` leaves a row for each feature."""
    from ops.models import Feature

    if using != "default":
        return
    try:
        rollouts = apps.get_model("ops", "FeatureRollout")
    except LookupError:  # it was told to stop at a state without our tables
        return
    for feature in Feature:
        rollouts.objects.get_or_create(feature=feature.value)
