"""`manage.py features`: how far each is, and how an operator moves it."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from audit.models import AuditEvent
from cerply.accounts.models import Organization
from ops.features import Feature, decide
from ops.models import FeatureRollout
from tests.factories import make_organization

pytestmark = pytest.mark.django_db

WHY = {"reason": "Week two."}


@pytest.fixture(autouse=True)
def organizations() -> list[Organization]:
    return [make_organization(f"Organization {number}") for number in range(10)]


def say(*arguments: str, **options: object) -> str:
    output = StringIO()
    call_command("features", *arguments, stdout=output, **options)
    return output.getvalue().strip()


def on() -> int:
    return sum(decide(Feature.GAMIFICATION, organization.id).on for organization in Organization.objects.all())


def test_a_rollout_goes_from_pilots_to_a_share_to_everybody(organizations: list[Organization]) -> None:
    said = say("gamification", rollout="0", switch_off=10, **WHY)
    assert said == "gamification: 0 %, 0 of 10; on for 0 more, off for 10."
    pilot = str(organizations[3].id)
    assert say("gamification", pilot=[pilot], **WHY) == f"gamification is on for {pilot} (pilot)."
    assert on() == 1
    assert say("gamification", rollout="20", **WHY) == "gamification: 20 %, 2 of 9; on for 2 more, off for 0."
    assert on() == 3
    assert say().splitlines()[0] == (
        "gamification           switch on, rollout 20 %, 1 pilots: on for 3 of 10 organizations"
    )
    assert say("gamification", rollout="all", **WHY) == "gamification: all of 9; on for 7 more, off for 0."
    assert on() == 10
    event = AuditEvent.objects.filter(type="rollout_changed").latest("id")
    assert (event.metadata["reason"], event.actor_label) == ("Week two.", "features")


def test_switching_off_wants_the_number_of_those_who_lose_it() -> None:
    for number in (0, 9):
        with pytest.raises(CommandError, match=r"off for 10\. If that is wanted, say --switch-off 10\."):
            say("gamification", rollout="0", switch_off=number, **WHY)
    assert on() == 10


def test_a_dry_run_changes_nothing() -> None:
    assert say("gamification", rollout="50", dry_run=True).endswith("on for 0 more, off for 5. Nothing is changed.")
    assert FeatureRollout.objects.get(feature="gamification").percentage is None


def test_an_organizations_own_say_wins(organizations: list[Organization]) -> None:
    one = str(organizations[0].id)
    assert say("gamification", off=[one], **WHY).endswith("off for " + one + " (organization).")
    assert on() == 9
    assert say("gamification", no_say=[one], **WHY).endswith("on for " + one + " (default).")
    assert say("gamification", on=[one], **WHY).endswith("on for " + one + " (organization).")
    say("gamification", pilot=[one], **WHY)
    assert say("gamification", no_pilot=[one], **WHY).endswith("(organization).")


def test_the_switch_for_everyone_is_told(settings: Settings) -> None:
    settings.FEATURE_SWITCHES = {**settings.FEATURE_SWITCHES, "certificates": False}
    assert "certificates           switch OFF for everyone, rollout all, 0 pilots: on for 0 of 10" in say()


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ([], {"rollout": "20", **WHY}, "Name the feature: gamification, certificates, manager_notifications."),
        (["gamification"], {"rollout": "20"}, "Say why, with --reason"),
        (["gamification"], {"rollout": "20", "reason": "  "}, "Say why, with --reason"),
        (["gamification"], {"rollout": "101", **WHY}, "'101' is no percentage"),
        (["gamification"], {"rollout": "-1", **WHY}, "'-1' is no percentage"),
        (["gamification"], {"rollout": "٢٠", **WHY}, "is no percentage"),
        (["gamification"], {"pilot": ["nobody"], **WHY}, "There is no organization 'nobody'."),
        (["gamification"], {"pilot": ["00000000-0000-4000-8000-000000000000"], **WHY}, "There is no organization"),
        (["gamification"], {"pilot": ["x"], "rollout": "1", **WHY}, "Change either the rollout"),
        (["gamification"], {"pilot": ["x"], "dry_run": True}, "Change either the rollout"),
        (["levels"], {"rollout": "1", **WHY}, "invalid choice: 'levels'"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], options: dict[str, object], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        say(*arguments, **options)
    assert on() == 10
