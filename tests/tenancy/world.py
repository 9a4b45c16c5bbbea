"""Two organizations: theirs, which has a row of everything and whose words all say so, and ours."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

from django.apps import apps
from django.db import connection
from django.db.models import Model, QuerySet, UUIDField

from audit.sealing import seal
from cerply import clock
from cerply.accounts.models import ApiToken, Organization, Team, User
from cerply.permissions import Role
from cerply.tracks.models import Item, Track
from certificates import sharing
from certificates.models import Certificate, ShareLink
from gamification import sharing as shares
from gamification.models import AtRiskEpisode, LearnerStanding
from notifications.models import ManagerNotification, WebhookDelivery, WebhookEndpoint
from notifications.webhooks import endpoints
from tests.factories import (
    ACTOR,
    complete,
    give_answers,
    make_organization,
    make_team,
    make_token,
    make_track,
    make_user,
)
from tests.gamification.at_risk import give, look
from tests.notifications.webhooks import make_endpoint

# In each of their words, and in none of ours.
MARK = "zwinger"
# Which rows the parameters of paths name.
KINDS: dict[str, type[Model]] = {
    "learner_id": User,
    "team_id": Team,
    "track_id": Track,
    "item_id": Item,
    "certificate_id": Certificate,
    "link_id": ShareLink,
    "notification_id": ManagerNotification,
    "webhook_id": WebhookEndpoint,
    "delivery_id": WebhookDelivery,
    "token_id": ApiToken,
}


@dataclass(frozen=True)
class Side:
    organization: Organization
    people: dict[Role, User]
    # One of each kind, by the parameter's name.
    ids: dict[str, UUID]
    tokens: dict[Role, str]
    external_ids: dict[str, str]
    client_id: UUID
    share_id: UUID


@dataclass(frozen=True)
class World:
    theirs: Side
    ours: Side
    shared_track: Track
    # All that their rows have; and one of each table.
    their_ids: frozenset[str]
    their_samples: frozenset[str]


def make_world() -> World:
    shared = make_track(None, title="For everybody", items=1)
    theirs = _make_side(MARK, shared)
    ids = [list(map(str, rows.values_list("pk", flat=True))) for rows in _querysets_of(theirs.organization)]
    samples = frozenset(each[0] for each in ids if each)
    ours = _make_side("ours", shared)
    # What jobs have still to do; and they have as many webhooks as may be.
    AtRiskEpisode.objects.update(owed=True, told_at=None)
    LearnerStanding.objects.update(badges_due=True)
    for number in range(endpoints.MOST - 1):
        make_endpoint(theirs.organization, f"https://{MARK}.example/{number}", "certificate.issued")
    return World(theirs, ours, shared, frozenset(chain.from_iterable(ids)), samples)


def rows_of(organization: Organization) -> dict[str, list[tuple[object, ...]]]:
    """Every row that is an organization's, by table."""
    return {
        rows.model._meta.db_table: sorted(rows.values_list(), key=repr) for rows in _querysets_of(organization, None)
    }


def rows_written() -> dict[str, int]:
    """How many rows of each table this transaction has written until now; counts of rate limits aside."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
            " WHERE relname <> 'rate_counts'"
        )
        return dict(cursor.fetchall())


def _make_side(word: str, shared: Track) -> Side:
    organization = make_organization(f"{word} works")
    people = {role: _make_person(organization, role, word) for role in Role}
    learner, manager = people[Role.LEARNER], people[Role.MANAGER]
    team = make_team(organization, [learner], [manager])
    Team.objects.filter(id=team.id).update(name=f"{word} team")
    track = make_track(organization, title=f"{word} track", description=f"{word} text", external_id=f"{word}-track")
    item = track.items.all()[0]
    Item.objects.filter(id=item.id).update(external_id=f"{word}-item")
    endpoint, _ = make_endpoint(organization, f"https://{word}.example/hook", "certificate.issued")
    complete(learner, track)
    complete(learner, shared)
    client_id, share_id = uuid4(), uuid4()
    give_answers(learner, track, 1, client_id=client_id)
    shares.share(learner, f"{word}-artefact", client_id=share_id, occurred_at=None, actor=ACTOR)
    slow = make_track(organization, title=f"{word} slow track")
    give(learner, slow, right=1, wrong=24)
    look(on=1)
    certificate = Certificate.objects.get(learner=learner, track=track)
    link, _ = sharing.share(certificate, actor=ACTOR)
    seal()
    found = {
        "learner_id": learner.id,
        "team_id": team.id,
        "track_id": track.id,
        "item_id": item.id,
        "certificate_id": certificate.id,
        "link_id": link.id,
        "notification_id": ManagerNotification.objects.filter(manager=manager)[0].id,
        "webhook_id": endpoint.id,
        "delivery_id": WebhookDelivery.objects.filter(endpoint=endpoint)[0].id,
    }
    tokens = {role: make_token(user) for role, user in people.items()}
    # Their use is written down once a minute; otherwise each call would write something.
    ApiToken.objects.update(last_used_at=clock.now())
    found["token_id"] = ApiToken.objects.filter(user=people[Role.ADMIN])[0].id
    external = {kind: f"{word}-{kind}" for kind in (Role.LEARNER, "track", "item")}
    return Side(organization, people, found, tokens, external, client_id, share_id)


def _make_person(organization: Organization, role: Role, word: str) -> User:
    email = f"{role}@{word}.example"
    return make_user(organization, role, name=f"{word} {role}", email=email, external_id=f"{word}-{role}")


def _querysets_of(organization: Organization, key: type[Any] | None = UUIDField) -> Iterator[QuerySet[Any]]:
    """Of each table that has an organization; those with a key of this kind."""
    for model in apps.get_models():
        names = {each.attname for each in model._meta.concrete_fields}
        if "organization_id" in names and (key is None or isinstance(model._meta.pk, key)):
            yield model._base_manager.filter(organization_id=organization.id)
