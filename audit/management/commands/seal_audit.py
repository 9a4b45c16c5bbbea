"""``manage.py seal_audit``: what the job does every two minutes, now."""

from typing import Any

from django.core.management.base import BaseCommand

from audit.sealing import seal


class Command(BaseCommand):
    help = "Seals the audit events that wait for it."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(seal())
