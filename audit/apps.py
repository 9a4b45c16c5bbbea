from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate

from audit.partitions import create_ahead, exists


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        from audit import gauges

        gauges.register_all()
        post_migrate.connect(keep_partitions, sender=self)


def keep_partitions(using: str, **kwargs: Any) -> None:
    """Every ``migrate`` leaves partitions for the weeks to come, also in a database that was restored from a dump."""
    if using == "default" and exists(connections[using]):
        create_ahead()
