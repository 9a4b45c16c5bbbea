import json
import re
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cerply.management.deploy_checks import Outcome, findings
from cerply.management.installation import Installation


class Command(BaseCommand):
    help = (
        "Asks a running installation whether the release is well there, and fails where it is not. To be run with the "
        "installation's own environment: what HTTP does not tell is read from its database. Changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "url",
            nargs="?",
            default=settings.PUBLIC_URL,
            metavar="URL",
            help="PUBLIC_URL, unless said. Any other is asked as the proxy would, with PUBLIC_URL's host.",
        )
        parser.add_argument("--timeout", type=float, default=5.0, metavar="SECONDS", help="For each answer; 5.")
        parser.add_argument("--json", action="store_true", help="Say it for programs.")

    def handle(self, *args: Any, url: str, timeout: float, **options: Any) -> None:
        if not re.fullmatch(r"https?://[^\s/?#@]+/?", url):
            raise CommandError(f"{url!r} is no address like https://cerply.example.")
        if timeout <= 0:
            raise CommandError("Wait for more than 0 seconds.")
        installation = Installation(url, timeout)
        found = []
        for finding in findings(installation):
            found.append(finding)
            if not options["json"]:
                self.stdout.write(f"{finding.outcome:<9}  {finding.check:<11}  {finding.said}")
        failed = [finding.check for finding in found if finding.outcome == Outcome.FAILS]
        if options["json"]:
            answer = {"url": installation.url, "ok": not failed, "checks": [each.as_json() for each in found]}
            self.stdout.write(json.dumps(answer, indent=2))
        if failed:
            raise CommandError(f"It is not well: {', '.join(failed)}.")
