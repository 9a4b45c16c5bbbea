from typing import Any

from django.core.management.base import BaseCommand

from ops import schedules


class Command(BaseCommand):
    help = "Makes the queue's schedules those of settings.JOBS; `migrate` does it too."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(schedules.sync())
