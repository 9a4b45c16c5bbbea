"""``manage.py issue_certificates``: certificates for everyone in a team or organization who completed a track."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cerply.accounts.models import Organization, Team
from cerply.bar import CommandWithBar
from cerply.errors import Conflict
from cerply.identifiers import parse_uuid
from cerply.permissions import Actor
from cerply.tracks.models import Track
from gamification.bulk_issuing import Circle, count_due, issue_to_all


class Command(CommandWithBar):
    help = (
        "Issues a certificate to everyone who completed a track and has none. Safe to interrupt, to run again and to "
        "run twice at once: each gets one. Notifies nobody."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        whom = parser.add_mutually_exclusive_group(required=True)
        whom.add_argument("--organization", metavar="ID", help="Everyone in this organization.")
        whom.add_argument("--team", metavar="ID", help="The members of this team.")
        parser.add_argument("--track", metavar="ID", required=True, help="The track that they completed.")
        parser.add_argument(
            "--also-revoked",
            action="store_true",
            help="Also to those whose certificate was revoked: for when that was the mistake.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Say how many would be issued, and issue none.")

    def handle(self, *args: Any, **options: Any) -> None:
        circle = self.circle(options)
        try:
            circle.check()
        except Conflict as exc:
            raise CommandError(exc.text) from exc
        total = count_due(circle)
        if options["dry_run"]:
            self.stdout.write(f"Would issue {total} certificates of “{circle.track}”.")
            return
        issued = 0
        for issued in issue_to_all(circle, actor=Actor.system("issue_certificates")):
            self.show_progress(issued, max(total, issued, 1))
        self.stdout.write(f"Issued {issued} certificates of “{circle.track}”.")

    def circle(self, options: dict[str, Any]) -> Circle:
        track = self.find(Track, "track", options["track"])
        if options["team"]:
            team = self.find(Team, "team", options["team"])
            return Circle(team.organization_id, track, team.id, options["also_revoked"])
        organization = self.find(Organization, "organization", options["organization"])
        return Circle(organization.id, track, also_revoked=options["also_revoked"])

    def find(self, model: Any, name: str, text: str) -> Any:
        key = parse_uuid(text)
        row = model.objects.filter(id=key).first() if key else None
        if row is None:
            raise CommandError(f"There is no {name} {text!r}. Give its id, as the admin shows it.")
        return row
