"""``manage.py rotate_audit_key``: heads are signed with a new key from now on."""

from typing import Any

from django.core.management.base import BaseCommand

from audit.keys import rotate
from cerply.permissions import Actor


class Command(BaseCommand):
    help = "Makes a new key that signs the heads of the audit. What the old one signed stays verifiable."

    def handle(self, *args: Any, **options: Any) -> None:
        key = rotate(actor=Actor.system("rotate_audit_key"))
        self.stdout.write(f"Heads are signed with key {key.id} from now on.")
