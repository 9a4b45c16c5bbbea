from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cerply.identifiers import parse_uuid
from cerply.permissions import Actor
from ops import features
from ops.features import Decision, Feature
from ops.models import FeatureEnrolment, FeatureRollout

ACTOR = Actor.system("features")
# What the options say of an organization.
SAID: dict[str, Callable[..., Decision]] = {
    "pilot": partial(features.set_pilot, pilot=True),
    "no_pilot": partial(features.set_pilot, pilot=False),
    "on": partial(features.set_toggle, toggle=True),
    "off": partial(features.set_toggle, toggle=False),
    "no_say": partial(features.set_toggle, toggle=None),
}


class Command(BaseCommand):
    help = (
        "Shows which features are on for how many organizations, or changes one: its rollout, its pilots, an "
        "organization's own say. Each change needs a reason, and who switches it off for some says for how many."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("feature", nargs="?", choices=[feature.value for feature in Feature], metavar="FEATURE")
        parser.add_argument("--rollout", metavar="PERCENT|all", help="On for this share of them; all ends the rollout.")
        parser.add_argument("--switch-off", type=int, default=0, metavar="N", help="Agreed: for so many it goes off.")
        for name in SAID:
            option = f"--{name.replace('_', '-')}"
            parser.add_argument(option, action="append", default=[], metavar="ORGANIZATION")
        parser.add_argument("--reason", default="", help="Why; the audit keeps it.")
        parser.add_argument("--dry-run", action="store_true", help="Say what a rollout would do, and do nothing.")

    def handle(self, *args: Any, feature: str | None, rollout: str | None, **options: Any) -> None:
        asked = [(name, organization) for name in SAID for organization in options[name]]
        if not asked and rollout is None:
            return self.show()
        if feature is None:
            raise CommandError(f"Name the feature: {', '.join(Feature)}.")
        if not options["reason"].strip() and not options["dry_run"]:
            raise CommandError("Say why, with --reason: the audit keeps it.")
        if asked and (rollout is not None or options["dry_run"]):
            raise CommandError("Change either the rollout (which has a --dry-run) or organizations.")
        if rollout is not None:
            self.roll_out(Feature(feature), _percentage(rollout), options)
        for name, organization in asked:
            decision = SAID[name](Feature(feature), _enrolled(organization), actor=ACTOR, reason=options["reason"])
            self.stdout.write(f"{feature} is {'on' if decision.on else 'off'} for {organization} ({decision.reason}).")

    def roll_out(self, feature: Feature, percentage: int | None, options: dict[str, Any]) -> None:
        preview = features.preview_rollout(feature, percentage)
        on, off = len(preview.switched_on), len(preview.switched_off)
        share = "all" if percentage is None else f"{percentage} %, {len(preview.chosen)}"
        what = f"{feature}: {share} of {preview.candidates}; on for {on} more, off for {off}"
        if options["dry_run"]:
            self.stdout.write(f"{what}. Nothing is changed.")
            return
        if off != options["switch_off"]:
            raise CommandError(f"{what}. If that is wanted, say --switch-off {off}.")
        features.set_rollout(feature, percentage, actor=ACTOR, reason=options["reason"], shown=preview.fingerprint)
        self.stdout.write(f"{what}.")

    def show(self) -> None:
        for feature, percentage, pilots, on, total in _standings():
            switch = "on" if features.switched_on(feature) else "OFF for everyone"
            share = "all" if percentage is None else f"{percentage} %"
            self.stdout.write(
                f"{feature:<22} switch {switch}, rollout {share}, {pilots} pilots: on for {on} of {total} organizations"
            )


def _standings() -> Iterator[tuple[Feature, int | None, int, int, int]]:
    percentages = dict(FeatureRollout.objects.values_list("feature", "percentage"))
    for feature in Feature:
        rows = FeatureEnrolment.objects.filter(feature=feature)
        decided = [
            Decision.of(feature, percentage=percentages.get(feature), toggle=toggle, pilot=pilot, in_rollout=in_rollout)
            for toggle, pilot, in_rollout in rows.values_list("toggle", "pilot", "in_rollout")
        ]
        on = sum(decision.on for decision in decided)
        yield feature, percentages.get(feature), rows.filter(pilot=True).count(), on, len(decided)


def _percentage(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isascii() or not text.isdigit() or int(text) > 100:
        raise CommandError(f"{text!r} is no percentage from 0 to 100, and not `all`.")
    return int(text)


def _enrolled(text: str) -> UUID:
    organization_id = parse_uuid(text)
    if organization_id is None or not FeatureEnrolment.objects.filter(organization_id=organization_id).exists():
        raise CommandError(f"There is no organization {text!r}.")
    return organization_id
