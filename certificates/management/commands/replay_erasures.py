"""``manage.py replay_erasures``: after a restore, what was erased since the backup is erased again."""

from typing import Any

from django.core.management.base import BaseCommand

from certificates.erasing import replay


class Command(BaseCommand):
    help = "Erases again, after a restore, what the journal in the storage (MEDIA_ROOT/erasures) names."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(replay())
