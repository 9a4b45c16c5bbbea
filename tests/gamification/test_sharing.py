"""Sharing artefacts: what counts, and what counts once."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cerply import clock
from gamification import catchup
from gamification.models import LearnerBadge, LearnerStanding, Share
from tests.api.client import Api
from tests.factories import ACTOR, Cast


def sent(artefact: str = "a", **fields: Any) -> dict[str, Any]:
    return {"artefactId": artefact} | fields


def test_the_same_id_counts_once_and_names_one_content(api: Api, cast: Cast) -> None:
    row = sent(id=str(uuid4()))
    for _ in range(2):
        answer = api.post("/shares", row, by=cast.learner)
        assert (answer.status, answer.body["shares"]) == (201, 1)
    assert api.post("/shares", row | {"artefactId": "b"}, by=cast.learner).status == 409
    assert api.post("/shares", row | {"learnerId": str(cast.colleague.id)}, by=cast.admin).status == 409
    assert LearnerStanding.objects.get().shares == 1


def test_the_id_of_an_artefact_that_is_shared_again_is_remembered_too(api: Api, cast: Cast) -> None:
    api.post("/shares", sent("a"), by=cast.learner)
    row = sent("a", id=str(uuid4()))
    for _ in range(2):
        answer = api.post("/shares", row, by=cast.learner)
        assert (answer.status, answer.body["shares"]) == (201, 1)
    assert api.post("/shares", row | {"artefactId": "b"}, by=cast.learner).status == 409
    assert LearnerStanding.objects.get().shares == 1
    assert (Share.objects.count(), Share.objects.counted().count()) == (2, 1)


def test_catching_up_counts_different_artefacts_alone(api: Api, cast: Cast) -> None:
    for artefact in "aabbc":
        api.post("/shares", sent(artefact, id=str(uuid4())), by=cast.learner)
    earned = LearnerBadge.objects.values_list("evidence", "earned_at")
    live = list(earned)
    LearnerBadge.objects.all().delete()
    catchup.award_missing(cast.learner, actor=ACTOR)
    assert list(earned) == live
    assert live[0][0]["artefactId"] == "c"


@pytest.mark.parametrize("late", [True, False])
def test_a_share_that_is_sent_again_is_a_duplicate_however_late(api: Api, cast: Cast, late: bool) -> None:
    now = clock.now()
    row = sent(id=str(uuid4()), occurredAt=clock.rfc3339(now - timedelta(hours=23)))
    assert api.post("/shares", row, by=cast.learner).status == 201
    with clock.moved_to(now + timedelta(hours=2 if late else 0)):
        assert api.post("/shares", row, by=cast.learner).body["shares"] == 1
        other = api.post("/shares", row | {"artefactId": "b"}, by=cast.learner)
    assert other.status == (400 if late else 409)


def test_without_an_id_none_is_looked_for(cast: Cast, api: Api) -> None:
    token = api.token_of(cast.learner)
    with CaptureQueriesContext(connection) as queries:
        api.post("/shares", sent(), by=token)
    assert not [query["sql"] for query in queries if "client_id" in query["sql"] and "SELECT" in query["sql"][:6]]
    with CaptureQueriesContext(connection) as queries:
        api.post("/shares", sent("b", id=str(uuid4())), by=token)
    [looked] = [query["sql"] for query in queries if '"client_id" IN' in query["sql"]]
    assert "organization_id" in looked
