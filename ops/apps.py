from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class OpsConfig(AppConfig):
    name = "ops"
    verbose_name = "Operations"

    def ready(self) -> None:
        # The schedules of the code are those of the database after every ``migrate``.
        post_migrate.connect(after_migrate, sender=self)


def after_migrate(using: str, apps: Any, **kwargs: Any) -> None:
    """Nothing while ``migrate`` stands at a state without our tables (it was told to stop early, or to go back)."""
