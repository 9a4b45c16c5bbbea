"""Tracks and items over the API."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent
from cerply.tracks import editing
from cerply.tracks.models import Item
from tests.api.client import Api
from tests.factories import ACTOR, Cast, give_answers, make_track


def test_everybody_sees_the_own_tracks_and_the_shared_ones(api: Api, cast: Cast) -> None:
    make_track(None, title="A shared one", items=2)
    for who in (cast.learner, cast.manager, cast.auditor, cast.admin):
        body = api.get("/tracks", by=who).body
        assert [(row["title"], row["itemCount"]) for row in body["tracks"]] == [
            ("A shared one", 2),
            ("Fire Safety Fundamentals", 4),
        ]
    assert api.get("/tracks").status == 401


def test_one_track_has_its_items_in_order_without_the_retired(api: Api, cast: Cast) -> None:
    first, *others = cast.track.items.order_by("position")
    editing.change_item(first.id, {"retired": True}, actor=ACTOR)
    body = api.get(f"/tracks/{cast.track.id}", by=cast.learner).body
    assert [row["id"] for row in body["items"]] == [str(item.id) for item in others]
    assert body["itemCount"] == 3
    assert api.get(f"/tracks/{cast.outside_track.id}", by=cast.learner).status == 404


def test_a_track_is_made_and_updated(api: Api, cast: Cast) -> None:
    made = api.post("/tracks", {"externalId": "fire", "title": "Fire"}, by=cast.admin)
    assert (made.status, made.body["certifiesFrom"], made.body["items"]) == (201, "system", [])
    again = api.post("/tracks", {"externalId": "fire", "title": "Fire 2"}, by=cast.admin)
    assert (again.status, again.body["id"], again.body["title"]) == (200, made.body["id"], "Fire 2")
    patched = api.patch(f"/tracks/{made.body['id']}", {"certifiesFrom": "any"}, by=cast.admin)
    assert patched.body["certifiesFrom"] == "any"
    assert [event.type for event in AuditEvent.objects.filter(subject_kind="track").order_by("id")] == [
        "track_created",
        "track_updated",
        "track_updated",
    ]


def test_items_are_made_and_updated_whole_or_not_at_all(api: Api, cast: Cast) -> None:
    path = f"/tracks/{cast.track.id}/items"
    made = api.post(path, {"items": [{"externalId": "q1", "title": "One"}, {"title": "Two"}]}, by=cast.admin)
    assert (made.status, made.body["created"], made.body["updated"]) == (201, 2, 0)
    assert [item["position"] for item in made.body["items"]] == [4, 5]
    again = api.post(path, {"items": [{"externalId": "q1", "title": "Uno"}]}, by=cast.admin)
    assert (again.status, again.body["updated"], again.body["items"][0]["title"]) == (200, 1, "Uno")
    bad = api.post(path, {"items": [{"title": "Fine"}, {"title": ""}]}, by=cast.admin)
    assert (bad.status, list(bad.details["items"])) == (400, ["1"])
    twice = api.post(
        path, {"items": [{"externalId": "x", "title": "1"}, {"externalId": "x", "title": "2"}]}, cast.admin
    )
    assert (twice.status, list(twice.details["items"])) == (400, ["1"])
    assert Item.objects.filter(track=cast.track).count() == 6


def test_an_item_is_changed_and_retired(api: Api, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 1)
    item = cast.track.items.all()[0]
    path = f"/tracks/{cast.track.id}/items/{item.id}"
    assert api.patch(path, {"retired": True}, by=cast.admin).body["retired"] is True
    assert api.patch(path, {"retired": False, "title": "New"}, by=cast.admin).body["title"] == "New"
    assert api.patch(f"/tracks/{cast.track.id}/items/{uuid4()}", {}, by=cast.admin).status == 404
    assert editing.remove_item(item.id, actor=ACTOR) is False
    item.refresh_from_db()
    assert item.retired_at is not None


def test_who_may_change_what(api: Api, cast: Cast) -> None:
    shared = make_track(None)
    for who in (cast.learner, cast.manager, cast.auditor):
        assert api.post("/tracks", {"title": "x"}, by=who).status == 403
    assert api.patch(f"/tracks/{shared.id}", {"title": "x"}, by=cast.admin).status == 403
    assert api.patch(f"/tracks/{cast.outside_track.id}", {"title": "x"}, by=cast.admin).status == 404
    assert api.post("/tracks", {"title": "x"}).status == 401


@pytest.mark.parametrize(
    "change", [{"title": ""}, {"title": 1}, {"certifiesFrom": "all"}, {"externalId": ""}, {"more": 1}], ids=str
)
def test_bad_tracks_are_refused(api: Api, cast: Cast, change: dict[str, Any]) -> None:
    answer = api.post("/tracks", {"title": "Fine"} | change, by=cast.admin)
    assert (answer.status, list(answer.details)) == (400, list(change))


def test_a_taken_external_id_is_refused(api: Api, cast: Cast) -> None:
    make_track(cast.organization, external_id="taken")
    assert api.patch(f"/tracks/{cast.track.id}", {"externalId": "taken"}, by=cast.admin).status == 400


def test_a_thousand_items_cost_no_more_than_one(cast: Cast) -> None:
    def cost(number: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            editing.save_items(cast.track.id, [{"title": "x"}] * number, actor=ACTOR)
        return len(queries)

    assert cost(1) == cost(1000)
    assert cast.track.items.count() == 1005


# -- what certificates say, and how long they last --

CERTIFYING: dict[str, Any] = {
    "description": "Doors, alarms,\nextinguishers.",
    "criteria": "Answer every item.",
    "language": "pt-BR",
    "certifiesFrom": "any",
    "validMonths": 12,
}


def test_what_certificates_say_goes_in_and_comes_out(api: Api, cast: Cast) -> None:
    made = api.post("/tracks", {"title": "Fire", "externalId": "fire"}, by=cast.admin)
    without = {"description": "", "criteria": "", "language": "en", "certifiesFrom": "system", "validMonths": None}
    assert made.body | without == made.body
    again = api.post("/tracks", {"title": "Fire", "externalId": "fire"} | CERTIFYING, by=cast.admin)
    assert (again.status, again.body | CERTIFYING) == (200, again.body)
    assert api.patch(f"/tracks/{made.body['id']}", {"title": "Fire 2"}, by=cast.admin).body["validMonths"] == 12
    read = api.get(f"/tracks/{made.body['id']}", by=cast.learner).body
    assert read | CERTIFYING == read
    emptied = api.patch(f"/tracks/{made.body['id']}", {"description": "", "validMonths": None}, by=cast.admin).body
    assert (emptied["description"], emptied["validMonths"]) == ("", None)


@pytest.mark.parametrize("language", ["en", "zh-Hans", "zh-Hans-CN", "es-419", "gsw"])
def test_languages_that_a_credential_may_name(api: Api, cast: Cast, language: str) -> None:
    assert api.patch(f"/tracks/{cast.track.id}", {"language": language}, by=cast.admin).body["language"] == language


@pytest.mark.parametrize(
    "bad",
    [
        *({"language": language} for language in ("", "EN", "en_US", "en-us", "english", "e", "en-US\nx", None, 1)),
        *({"validMonths": months} for months in (0, 601, -1, "12", 1.5, True)),
        *({name: text} for name in ("description", "criteria") for text in ("x" * 2001, None, "a\0", 1)),
    ],
    ids=str,
)
def test_what_no_credential_could_say_is_refused(api: Api, cast: Cast, bad: dict[str, Any]) -> None:
    for answer in (
        api.patch(f"/tracks/{cast.track.id}", bad, by=cast.admin),
        api.post("/tracks", {"title": "Fire"} | bad, by=cast.admin),
    ):
        assert (answer.status, list(answer.details)) == (400, list(bad))
