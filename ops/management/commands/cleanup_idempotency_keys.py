from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ops import idempotency


class Command(BaseCommand):
    help = "Deletes idempotency keys whose 24 hours are over."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say how many, and delete none.")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        self.stdout.write(idempotency.clean_up(dry_run=dry_run))
