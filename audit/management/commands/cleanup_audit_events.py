from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import retention


class Command(BaseCommand):
    help = "Drops the weeks of audit events that are past their retention, whole."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, metavar="N", help="Keep so many days; default: RETAIN_AUDIT_DAYS.")
        parser.add_argument("--dry-run", action="store_true", help="Say which weeks, and drop none.")

    def handle(self, *args: Any, days: int | None, dry_run: bool, **options: Any) -> None:
        if days is not None and not 1 <= days <= 36500:
            raise CommandError("--days must be from 1 to 36500.")
        self.stdout.write(retention.clean_up(days, dry_run=dry_run))
