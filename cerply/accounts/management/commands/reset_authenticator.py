"""``manage.py reset_authenticator EMAIL``: for staff who have lost their authenticator and their recovery codes."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cerply.accounts import second_factor
from cerply.accounts.models import User
from cerply.permissions import Actor


class Command(BaseCommand):
    help = "Takes the authenticator of a member of staff away. At the next sign-in she sets up another one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(organization=None).with_address(options["email"]).first()
        if user is None:
            raise CommandError(f"Nobody of the staff has the address {options['email']}.")
        if not second_factor.take_away(user, actor=Actor.system("reset_authenticator")):
            raise CommandError(f"{user.email} has no authenticator.")
        self.stdout.write(f"{user.email} sets up another authenticator at the next sign-in. Her sessions have ended.")
