"""``manage.py rotate_signing_key --organization ID``: certificates are signed with a new key from now on."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cerply.accounts.models import Organization
from cerply.identifiers import parse_uuid
from cerply.permissions import Actor
from certificates.keys import rotate


class Command(BaseCommand):
    help = "Makes a new signing key for an organization. What the old one signed stays verifiable."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", required=True, metavar="ID", help="The organization's id.")

    def handle(self, *args: Any, **options: Any) -> None:
        key = parse_uuid(options["organization"])
        organization = Organization.objects.filter(id=key).first() if key else None
        if organization is None:
            raise CommandError(f"There is no organization {options['organization']!r}.")
        new = rotate(organization.id, actor=Actor.system("rotate_signing_key"))
        self.stdout.write(f"{organization.name} signs with key {new.id} from now on.")
