"""The write paths of people, material and certificates, each with many callers at once."""

from collections import Counter
from functools import partial
from typing import Any

import pytest

from audit.models import AuditEvent
from cerply.accounts import people, teams, tokens
from cerply.accounts.models import ApiToken, Membership, Organization, TeamRole, User
from cerply.accounts.organizations import close_organization, reopen_organization
from cerply.errors import Conflict, Invalid
from cerply.permissions import Role
from cerply.tracks import editing
from cerply.tracks.models import Item, Track
from certificates import keys
from certificates.models import SigningKey
from certificates.revoking import revoke
from gamification.models import Badge, BadgeRule, RuleKind
from gamification.revising import save_badge
from notifications.models import NotificationPreference
from notifications.preferring import prefer
from tests.factories import ACTOR, Cast, complete, make_cast, make_token, make_user
from tests.threads import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CALLERS = 12


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def outcome(call: Any) -> str:
    """``done``, or the name of what was raised of what may be."""
    try:
        call()
    except (Conflict, Invalid, people.BadRows) as exc:
        return type(exc).__name__
    return "done"


def outcomes(*calls: Any) -> Counter[str]:
    return Counter(at_once([partial(outcome, call) for call in calls]))


def events(type_: str) -> int:
    return AuditEvent.objects.filter(type=type_).count()


def test_the_same_person_is_created_once_and_then_updated(cast: Cast) -> None:
    row = {"externalId": "hr-1", "name": "Zoë", "email": "zoe@example.com"}
    save = partial(people.save_people, cast.organization.id, [row], actor=ACTOR)
    assert outcomes(*[save] * CALLERS) == {"done": CALLERS}
    assert User.objects.filter(external_id="hr-1").count() == 1
    assert events("user_created") == 1


def test_one_address_is_taken_by_one(cast: Cast) -> None:
    calls = [
        partial(
            people.save_people,
            cast.organization.id,
            [{"externalId": f"hr-{number}", "name": "Zoë", "email": "zoe@example.com"}],
            actor=ACTOR,
        )
        for number in range(CALLERS)
    ]
    assert outcomes(*calls) == {"done": 1, "BadRows": CALLERS - 1}


def test_of_two_admins_one_stays(cast: Cast) -> None:
    other = make_user(cast.organization, Role.ADMIN)
    demote = [
        partial(people.change_person, admin.id, {"role": "learner"}, actor=ACTOR) for admin in (cast.admin, other)
    ]
    assert outcomes(*demote) == {"done": 1, "Conflict": 1}
    assert User.objects.filter(organization=cast.organization, role=Role.ADMIN).count() == 1


def test_deactivating_at_once_is_audited_once_and_no_token_survives(cast: Cast) -> None:
    make_token(cast.learner)
    leave = partial(people.change_person, cast.learner.id, {"active": False}, actor=ACTOR)
    assert outcomes(*[leave] * CALLERS) == {"done": CALLERS}
    assert (events("user_deactivated"), events("token_revoked")) == (1, 1)
    assert not ApiToken.objects.filter(user=cast.learner, revoked_at=None).exists()


def test_a_token_is_revoked_once(cast: Cast) -> None:
    make_token(cast.learner)
    token = ApiToken.objects.get()
    at_once([partial(tokens.revoke, ApiToken.objects.get(), actor=ACTOR) for _ in range(CALLERS)])
    assert events("token_revoked") == 1
    assert ApiToken.objects.get(id=token.id).revoked_at is not None


def test_a_team_of_one_name_is_made_once(cast: Cast) -> None:
    make = partial(teams.create_team, cast.organization.id, {"name": "Night"}, actor=ACTOR)
    assert outcomes(*[make] * CALLERS) == {"done": 1, "Invalid": CALLERS - 1}


def test_members_come_and_go_without_a_twin(cast: Cast) -> None:
    add = partial(teams.add_member, cast.team, cast.colleague, TeamRole.MEMBER, actor=ACTOR)
    remove = partial(teams.remove_member, cast.team, cast.colleague, actor=ACTOR)
    assert outcomes(*[add, remove] * 6) == {"done": CALLERS}
    present = Membership.objects.filter(team=cast.team, user=cast.colleague).count()
    assert present in {0, 1}
    assert events("team_member_added") - events("team_member_removed") == present


def test_the_same_track_and_items_are_made_once(cast: Cast) -> None:
    track = partial(editing.save_track, cast.organization.id, {"externalId": "t", "title": "T"}, actor=ACTOR)
    assert outcomes(*[track] * CALLERS) == {"done": CALLERS}
    made = Track.objects.get(external_id="t")
    rows = [{"externalId": f"q{number}", "title": "Q"} for number in range(5)]
    assert outcomes(*[partial(editing.save_items, made.id, rows, actor=ACTOR)] * CALLERS) == {"done": CALLERS}
    assert sorted(Item.objects.filter(track=made).values_list("position", flat=True)) == [0, 1, 2, 3, 4]
    assert events("track_created") == 1


def test_a_certificate_is_revoked_once(cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    revoked = at_once([partial(revoke, certificate.id, f"Reason {n}.", actor=ACTOR) for n in range(CALLERS)])
    assert len({(row.revoked_at, row.revocation_reason) for row in revoked}) == 1
    assert events("certificate_revoked") == 1


def test_rotating_at_once_leaves_one_active_key(cast: Cast) -> None:
    at_once([partial(keys.rotate, cast.organization.id, actor=ACTOR)] * CALLERS)
    assert SigningKey.objects.active().count() == 1
    assert SigningKey.objects.count() == events("signing_key_rotated") == CALLERS


def test_rotating_while_issuing_signs_with_a_key_that_is_there(cast: Cast) -> None:
    learners = [make_user(cast.organization) for _ in range(8)]
    issue = [partial(complete, learner, cast.track) for learner in learners]
    at_once([*issue, *[partial(keys.rotate, cast.organization.id, actor=ACTOR)] * 4])
    assert SigningKey.objects.active().count() == 1


def test_badges_are_edited_one_after_the_other(cast: Cast) -> None:
    def edit(count: int) -> None:
        save_badge(Badge.objects.get(slug="perfectionist"), BadgeRule(kind=RuleKind.STREAK, count=count), actor=ACTOR)

    assert outcomes(*[partial(edit, 30 + number) for number in range(CALLERS)]) == {"done": CALLERS}
    rules = BadgeRule.objects.filter(badge__slug="perfectionist")
    assert sorted(rules.values_list("version", flat=True)) == list(range(1, CALLERS + 2))
    assert rules.filter(superseded_at=None).count() == 1


def test_preferences_are_those_of_one_of_the_callers(cast: Cast) -> None:
    said: list[dict[str, Any]] = [
        {"frequency": name, "types": [], "timezone": "UTC"} for name in ("daily", "weekly", "off")
    ] * 4
    assert outcomes(*[partial(prefer, cast.manager, values, actor=ACTOR) for values in said]) == {"done": CALLERS}
    assert NotificationPreference.objects.count() == 1


def test_closing_and_reopening_at_once_leaves_it_in_one_state(cast: Cast) -> None:
    def change(close: bool) -> None:
        organization = Organization.objects.get(id=cast.organization.id)
        (close_organization if close else reopen_organization)(organization, actor=ACTOR, reason="Why not.")

    counted = outcomes(*[partial(change, number % 2 == 0) for number in range(CALLERS)])
    assert counted["done"] == events("organization_closed") + events("organization_reopened")
    is_closed = Organization.objects.get(id=cast.organization.id).closed_at is not None
    assert events("organization_closed") - events("organization_reopened") == is_closed
