from typing import Any

from django.core.management.base import CommandParser

from cerply.bar import CommandWithBar
from notifications.retention import Expiry, delete_expired


class Command(CommandWithBar):
    help = (
        "Deletes notifications RETAIN_NOTIFICATION_DAYS_READ after they were read, and unread ones "
        "RETAIN_NOTIFICATION_DAYS_UNREAD after they came. Safe to interrupt and to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say how many, and delete none.")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        expiry = Expiry.now()
        total, deleted = expiry.count(), 0
        for deleted in [] if dry_run else delete_expired(expiry, total):
            self.show_progress(deleted, max(total, deleted, 1))
        verb, number = ("Would delete", total) if dry_run else ("Deleted", deleted)
        self.stdout.write(f"{verb} {number} notifications that were kept long enough.")
