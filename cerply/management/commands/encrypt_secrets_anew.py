from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cerply.management.secrets import encrypt_anew
from cerply.permissions import Actor


class Command(BaseCommand):
    help = (
        "Encrypts every secret in the database with the first of KEY_ENCRYPTION_KEYS, after which the others can go. "
        "Safe to interrupt and to run again. Fails and names what none of the keys opens."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say how many, and change none.")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        done = encrypt_anew(actor=Actor.system("encrypt_secrets_anew"), dry_run=dry_run)
        verb = "Would encrypt" if dry_run else "Encrypted"
        self.stdout.write(f"{verb} {done.anew} secrets anew; {done.already} were so already.")
        if done.unopened:
            raise CommandError(f"None of KEY_ENCRYPTION_KEYS opens {', '.join(done.unopened)}. Put the right one back.")
