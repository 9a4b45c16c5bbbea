"""Whoever of ours calls whatever route with whatever of theirs learns nothing and changes nothing."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from cerply.permissions import Role
from tests.tenancy.calls import (
    CHANGES,
    PUBLIC,
    QUERIES,
    SEGMENTS,
    Answer,
    Call,
    call_as_ours,
    calls,
    names_in_bodies,
    names_in_queries,
    routes,
    undone,
)
from tests.tenancy.deeds import DEEDS
from tests.tenancy.world import KINDS, MARK, World, make_world, rows_of

# Ids in bodies, which `calls` sends, and those that name nothing of an organization's.
IN_BODIES = {
    "artefactId",
    "externalId",
    "id",
    "itemExternalId",
    "itemId",
    "learnerExternalId",
    "learnerId",
    "managerIds",
    "memberIds",
    "trackExternalId",
    "trackId",
}
# `organization` of the sign-in chooses between people who have the same password; a body of a route for everyone.
ELSEWHERE = {"organization"}
WITHOUT_AN_ID = {"asOf", "cursor", "format", "from", "limit", "offset", "order", "reason", "signature"}
WITHOUT_AN_ID |= {"state", "status", "to", "unreadOnly"}
# Whoever asks for these is not looked at.
HEALTH = "/api/health"


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def test_nobody_of_ours_gets_at_anything_of_theirs(world: World) -> None:
    before = rows_of(world.theirs.organization)
    wrong: list[str] = []
    every_call = list(calls(world))
    for call in every_call:
        answer, left = undone(world, partial(call_as_ours, world, call))
        wrong += (f"{call}: {problem}" for problem in problems(world, call, answer))
        if left not in (None, before):
            wrong.append(f"{call}: it changed a row of theirs, and answered {answer.status}")
    assert not wrong, "\n".join(wrong)
    assert len(every_call) > 500


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_what_is_done_for_ours_leaves_theirs_alone(world: World, deed: Callable[[World], Any]) -> None:
    before = rows_of(world.theirs.organization)
    said, left = undone(world, partial(deed, world))
    assert said == DEEDS[deed]
    assert left in (None, before)


def problems(world: World, call: Call, answer: Answer) -> list[str]:
    found = []
    if answer.status >= 500:
        found.append(f"it answered {answer.status}")
    names_a_row = "?" not in call.path and bool(call.named) and call.body in (None, {})
    if names_a_row and answer.status not in {400, 403, 404}:
        found.append(f"it answered {answer.status}")
    told = answer.content.lower()
    for word in re.findall(rf"{MARK}[\w@. -]*", f"{call.path} {call.body}"):
        told = told.replace(word, "")
    if MARK in told:
        found.append(f"it tells a word of theirs: {answer.content[:300]}")
    found += (f"it tells the id {each}" for each in world.their_ids - call.named if each in told)
    return found


@pytest.mark.parametrize("credential", [None, "Bearer wrong"])
def test_nobody_at_all_gets_in(world: World, credential: str | None) -> None:
    headers = {"Authorization": credential} if credential else {}
    for route in routes():
        ids = {name: world.theirs.ids[name] for name in route.parameters if name in KINDS}
        path = route.template.format(**SEGMENTS, **ids)
        for method in route.methods:
            status = Client().generic(method, path, b"{}", content_type="application/json", headers=headers).status_code
            if not route.template.startswith(HEALTH) and (credential or not route.is_public):
                assert (path, method, status) == (path, method, 401)


def test_sessions_get_no_further_than_tokens(world: World) -> None:
    client = Client()
    client.force_login(world.ours.people[Role.MANAGER])
    page = f"/inbox/{world.theirs.ids['notification_id']}"
    for answer in (client.get(page), client.post(page, {}), client.get("/inbox")):
        assert answer.status_code in {200, 400, 403, 404}
        assert MARK not in answer.content.decode().lower()
    assert client.get(page).status_code == 404


def test_nothing_that_is_new_is_forgotten() -> None:
    """A new route for everyone is named as such; a new parameter has a value of theirs."""
    assert {route.template for route in routes() if route.is_public} == PUBLIC
    unknown = {name for route in routes() for name in route.parameters} - KINDS.keys() - SEGMENTS.keys()
    assert not unknown, "Say in `KINDS` of which row these are the ids."
    assert names_in_bodies() == IN_BODIES | ELSEWHERE, "Send it in `calls`, or say why not."
    assert names_in_queries() == QUERIES.keys() | WITHOUT_AN_ID, "Send it in `calls`, or say why not."


def test_each_role_changes_what_it_may(world: World) -> None:
    """Inside the organization, as docs/security.md says."""
    may: dict[Any, set[str]] = {role: set() for role in Role}
    for route in routes():
        if route.is_public:
            continue
        ids = {name: world.ours.ids[name] for name in route.parameters if name in KINDS}
        for role in Role:
            for method in {*CHANGES} & {*route.methods}:
                call = Call(role, method, route.template.format(**SEGMENTS, **ids), {})
                with transaction.atomic():
                    if call_as_ours(world, call).status != 403:
                        may[role].add(f"{method} {route.template}")
                    transaction.set_rollback(True)
    own = {"POST /api/auth/logout", "POST /api/auth/tokens", "DELETE /api/auth/tokens/{token_id}"}
    inbox = {
        "PATCH /api/manager/notifications/{notification_id}",
        "POST /api/manager/notifications/read-all",
        "PUT /api/manager/notification-preferences",
    }
    assert may[Role.AUDITOR] == own
    assert may[Role.MANAGER] == own | inbox
    assert may[Role.LEARNER] == own | {
        "POST /api/attempts",
        "POST /api/shares",
        "PATCH /api/certificates/{certificate_id}",
        "POST /api/certificates/{certificate_id}/share-links",
        "DELETE /api/certificates/{certificate_id}/share-links/{link_id}",
    }
    assert may[Role.ADMIN] >= may[Role.MANAGER]
