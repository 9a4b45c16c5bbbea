"""``manage.py award_badges``: awards what learners' histories have earned by the current rules."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cerply.bar import CommandWithBar
from cerply.permissions import Actor
from gamification.catchup import StandingsToCatchUp, award_missing
from gamification.models import Badge


class Command(CommandWithBar):
    help = "Awards badges that learners have earned in the past. Safe to interrupt and to run again; notifies nobody."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--badge", metavar="SLUG", help="Only this badge.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would be awarded, and award nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        slugs = [options["badge"]] if options["badge"] else []
        if slugs and not Badge.objects.filter(slug__in=slugs).exists():
            known = ", ".join(Badge.objects.values_list("slug", flat=True))
            raise CommandError(f"There is no badge {slugs[0]!r}. There are: {known}.")
        everybody = StandingsToCatchUp()
        total, awarded = len(everybody), 0
        for number, learner in enumerate(everybody, start=1):
            awards = award_missing(learner, actor=Actor.system("award_badges"), slugs=slugs, dry_run=options["dry_run"])
            awarded += len(awards)
            for award in awards if options["verbosity"] > 1 else []:
                self.stdout.write(f"{award.rule.badge.slug}: {learner.id} at {award.earned_at:%Y-%m-%d %H:%M}")
            self.show_progress(number, total)
        verb = "Would award" if options["dry_run"] else "Awarded"
        self.stdout.write(f"{verb} {awarded} badges to {total} learners with a history.")
