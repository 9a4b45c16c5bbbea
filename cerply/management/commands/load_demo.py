"""``manage.py load_demo``: people, teams, tracks and a few weeks of answers to look at."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from cerply.management.demo_data.loading import load


class Command(BaseCommand):
    help = "Loads the demo data, where they are not there yet. In development and test only."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.RELAXED:
            raise CommandError("Demo data have published passwords: CERPLY_ENV must be development or test.")
        self.stdout.write(load())
