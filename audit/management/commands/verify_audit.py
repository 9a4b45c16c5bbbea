"""``manage.py verify_audit``: proves that the audit is what it was, or says what is not."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.heads import Head
from audit.models import NO_ORGANIZATION
from audit.verifying import verify
from cerply.identifiers import parse_uuid


class Command(BaseCommand):
    help = "Proves that no audit event was changed, removed or slipped in, or says which were. Exits with 1 then."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--head",
            action="append",
            default=[],
            metavar="ORGANIZATION/NUMBER/HASH",
            help="A head that was mailed, or logged: is it still in its chain? May be repeated.",
        )
        parser.add_argument("--organization", metavar="ID", help="Only the chain of this one, or of the `platform`.")

    def handle(self, *args: Any, head: list[str], organization: str | None, **options: Any) -> None:
        known = [(text, Head.parse(text)) for text in head]
        if wrong := [text for text, parsed in known if parsed is None]:
            raise CommandError(f"{wrong[0]!r} is not a head: give it as ORGANIZATION/NUMBER/HASH.")
        chain = NO_ORGANIZATION if organization == "platform" else parse_uuid(organization or "")
        if organization and chain is None:
            raise CommandError(f"{organization!r} is not an organization's id.")
        report = verify(organization_id=chain, known=[parsed for _, parsed in known if parsed])
        for line in report.said:
            self.stdout.write(line)
        if not report.is_good:
            raise CommandError(report.summary)
        self.stdout.write(report.summary)
