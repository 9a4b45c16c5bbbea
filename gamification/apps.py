from django.apps import AppConfig
from django.db.models.signals import post_migrate


class GamificationConfig(AppConfig):
    name = "gamification"

    def ready(self) -> None:
        from gamification.seeding import seed_after_migrate

        post_migrate.connect(seed_after_migrate, sender=self, dispatch_uid="gamification.seed_badges")
