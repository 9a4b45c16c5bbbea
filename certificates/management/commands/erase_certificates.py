"""``manage.py erase_certificates --learner ID``: a learner's name is removed from all that bears it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cerply.accounts.models import User
from cerply.identifiers import parse_uuid
from cerply.permissions import Actor
from certificates.erasing import erase_learner, settle_owed
from certificates.models import Certificate


class Command(BaseCommand):
    help = "Removes a learner's name from her certificates and badges, for good; copies can still be verified."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--learner", required=True, metavar="ID", help="The learner's id.")
        parser.add_argument("--reason", default="She asked for it.", help="For the audit; without her name.")
        parser.add_argument("--dry-run", action="store_true", help="Say how many there are, and erase nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        key = parse_uuid(options["learner"])
        learner = User.objects.members().filter(id=key).first() if key else None
        if learner is None:
            raise CommandError(f"There is no learner {options['learner']!r}. Give her id, as the admin shows it.")
        if options["dry_run"]:
            number = Certificate.objects.kept().filter(learner=learner).count()
            self.stdout.write(f"Would erase {number} certificates of {learner.id}.")
            return
        actor = Actor.system("erase_certificates")
        number = erase_learner(learner.id, actor=actor, reason=options["reason"])
        self.stdout.write(f"Erased {number} certificates of {learner.id}. {settle_owed()}")
