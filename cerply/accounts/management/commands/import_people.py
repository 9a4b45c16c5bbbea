"""``manage.py import_people FILE.csv --organization ID``: people and teams from a spreadsheet."""

from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from cerply.accounts.importing import COLUMNS, LARGEST_FILE, BadFile, import_people
from cerply.accounts.models import Organization
from cerply.identifiers import parse_uuid
from cerply.permissions import Actor

HELP = "Creates and updates people and teams from a CSV file, whole or not at all. Its columns:\n\n" + "\n".join(
    f"  {name:12} {meaning}" for name, meaning in COLUMNS.items()
)


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.csv")
        parser.add_argument("--organization", metavar="ID", help="Needed where there is more than one.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done, and do nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = self.organization(options["organization"])
        try:
            content = options["file"].read_bytes()
        except OSError as exc:
            raise CommandError(f"{options['file']} cannot be read: {exc.strerror}.") from exc
        if len(content) > LARGEST_FILE:
            raise CommandError(f"{options['file']} is larger than {LARGEST_FILE >> 20} MiB.")
        try:
            with transaction.atomic():
                imported = import_people(organization.id, content, actor=Actor.system("import_people"))
                transaction.set_rollback(options["dry_run"])
        except BadFile as exc:
            for number, problem in exc.problems:
                self.stderr.write(f"line {number}: {problem}")
            count = len(exc.problems)
            raise CommandError(f"Nothing was imported: {count} problem{'s' if count > 1 else ''}.") from exc
        would = "It would be: " if options["dry_run"] else ""
        self.stdout.write(f"{would}{imported}")

    def organization(self, text: str | None) -> Organization:
        organizations = Organization.objects.open()
        if text is None:
            first = list(organizations[:2])
            if not first:
                raise CommandError("There is no organization yet. Make one in the admin.")
            if len(first) != 1:
                raise CommandError("Say which organization it is for: --organization ID.")
            return first[0]
        key = parse_uuid(text)
        found = organizations.filter(id=key).first() if key else None
        if found is None:
            raise CommandError(f"There is no open organization {text!r}.")
        return found
