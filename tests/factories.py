"""Rows to test with, as plain functions; what is not said gets a name of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from cerply import clock
from cerply.accounts import tokens
from cerply.accounts.models import Membership, Organization, Team, TeamRole, User
from cerply.permissions import Actor, Role
from cerply.tracks.models import CertifiesFrom, Item, Track
from certificates.models import Source
from gamification.answers import Answer
from gamification.progress import Recorded, record
from ops.features import enrol

ACTOR = Actor.system("test")
_numbers = count(1)


def make_organization(name: str = "Nordlys Energy", **fields: Any) -> Organization:
    organization = Organization.objects.create(name=name, **fields)
    enrol(organization.id)
    return organization


def make_user(organization: Organization | None, role: Role | None = Role.LEARNER, **fields: Any) -> User:
    number = next(_numbers)
    fields = {"name": f"Person {number}", "email": f"person{number}@example.com", **fields}
    password = fields.pop("password", None)
    user = User(organization=organization, role=role, **fields)
    if password:
        user.set_password(password)
    user.save()
    return user


def make_staff(**fields: Any) -> User:
    return make_user(None, None, is_staff=True, is_superuser=True, **fields)


def make_token(user: User, **fields: Any) -> str:
    """The secret of a new API token of hers."""
    expires_at = fields.pop("expires_at", clock.now() + timedelta(days=1))
    return tokens.create(user, "test", expires_at=expires_at, actor=ACTOR)[1]


def make_team(organization: Organization, members: Sequence[User] = (), managers: Sequence[User] = ()) -> Team:
    team = Team.objects.create(organization=organization, name=f"Team {next(_numbers)}")
    rows = [Membership(team=team, user=user, role=TeamRole.MEMBER) for user in members]
    rows += [Membership(team=team, user=user, role=TeamRole.MANAGER) for user in managers]
    Membership.objects.bulk_create(rows)
    return team


def make_track(organization: Organization | None, *, items: int = 4, **fields: Any) -> Track:
    """Takes any answer for completing it, unless the fields say otherwise."""
    number = next(_numbers)
    track = Track.objects.create(
        organization=organization, **{"title": f"Track {number}", "certifies_from": CertifiesFrom.ANY, **fields}
    )
    for position in range(items):
        Item.objects.create(track=track, title=f"Item {position}", position=position)
    return track


def make_answer(learner: User, item: Item, *, correct: bool = True, **fields: Any) -> Answer:
    return Answer(
        **{
            "learner": learner,
            "track": item.track,
            "item": item,
            "credit": Decimal(int(correct)),
            "source": Source.SELF,
            **fields,
        }
    )


def give_answers(learner: User, track: Track, number: int, **fields: Any) -> Recorded:
    """So many answers to the track's first item, which completes only a track of one."""
    item = track.items.all()[0]
    return record([make_answer(learner, item, **fields) for _ in range(number)], actor=ACTOR)


def complete(learner: User, track: Track, **fields: Any) -> Recorded:
    """One correct answer to each item."""
    return record([make_answer(learner, item, **fields) for item in track.items.all()], actor=ACTOR)


@dataclass(frozen=True)
class Cast:
    """The same people in every test. The learner is in the manager's team, the colleague is not."""

    organization: Organization
    learner: User
    manager: User
    colleague: User
    admin: User
    auditor: User
    team: Team
    track: Track
    outside: Organization
    outsider: User
    outside_manager: User
    outside_admin: User
    outside_track: Track


def make_cast() -> Cast:
    organization, outside = make_organization(), make_organization("Outside Ltd")
    learner = make_user(organization, name="Maya Lindqvist")
    manager = make_user(organization, Role.MANAGER, name="Tomás Ferreira")
    outsider = make_user(outside, name="Olga Outsider")
    outside_manager = make_user(outside, Role.MANAGER)
    make_team(outside, [outsider], [outside_manager])
    return Cast(
        organization=organization,
        learner=learner,
        manager=manager,
        colleague=make_user(organization, name="Jonas Weber"),
        admin=make_user(organization, Role.ADMIN, name="Amina Yusuf"),
        auditor=make_user(organization, Role.AUDITOR, name="Kenji Sato"),
        team=make_team(organization, [learner], [manager]),
        track=make_track(organization, title="Fire Safety Fundamentals"),
        outside=outside,
        outsider=outsider,
        outside_manager=outside_manager,
        outside_admin=make_user(outside, Role.ADMIN),
        outside_track=make_track(outside, title="Outside Track"),
    )
