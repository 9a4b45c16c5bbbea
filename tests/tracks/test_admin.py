"""Tracks and their items in the admin."""

import pytest
from django.test import Client

from cerply.tracks.models import Item, Track
from tests.console import events, page_of, typed
from tests.factories import (
    Cast,
    give_answers,
)


def test_items_are_added_changed_and_retired_on_pages_of_their_own(console: Client, cast: Cast) -> None:
    add = page_of(Item, "add")
    row = {"track": str(cast.track.id), "title": "New", "external_id": "", "position": ""}
    assert console.post(add, row).status_code == 302
    item = Item.objects.get(title="New")
    assert (item.position, item.retired_at) == (4, None)
    path = page_of(Item, "change", item.pk)
    assert console.post(path, typed(console, path, title="Newer", retired="on")).status_code == 302
    item.refresh_from_db()
    assert item.title == "Newer"
    assert item.retired_at is not None
    assert console.post(path, typed(console, path, retired=False)).status_code == 302
    item.refresh_from_db()
    assert item.retired_at is None
    made, changed, reopened = events("items_changed")
    assert made.metadata["createdItems"] == [{"itemId": str(item.id), "title": "New"}]
    assert changed.metadata["changes"] == {
        "title": {"before": "New", "after": "Newer"},
        "retired": {"before": False, "after": True},
    }
    assert reopened.metadata["changes"] == {"retired": {"before": True, "after": False}}


def test_an_item_with_answers_is_not_deleted(console: Client, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 1)
    answered, other, *_ = cast.track.items.order_by("position")
    assert console.post(page_of(Item, "delete", answered.pk), {"post": "yes"}).status_code == 403
    assert console.post(page_of(Item, "delete", other.pk), {"post": "yes"}).status_code == 302
    assert set(Item.objects.filter(id__in=[answered.id, other.id])) == {answered}


def test_an_external_id_of_another_item_or_track_is_refused(console: Client, cast: Cast) -> None:
    first, second, *_ = cast.track.items.all()
    Item.objects.filter(id=first.id).update(external_id="q1")
    row = {"track": str(cast.track.id), "title": "New", "external_id": "q1", "position": ""}
    assert "has an item with this external id already" in console.post(page_of(Item, "add"), row).content.decode()
    path = page_of(Item, "change", second.pk)
    page = console.post(path, typed(console, path, external_id="q1")).content.decode()
    assert "has an item with this external id already" in page
    Track.objects.filter(id=cast.track.id).update(external_id="t1")
    form = {"organization": str(cast.organization.id), "external_id": "t1", "title": "x", "certifies_from": "any"}
    form["language"] = "en"
    page = console.post(page_of(Track, "add"), form).content.decode()
    assert "has a track with this external id already" in page
    assert console.post(page_of(Track, "add"), form | {"external_id": "t2"}).status_code == 302


def test_a_track_of_hundreds_of_items_is_shown_and_changed(console: Client, cast: Cast) -> None:
    Item.objects.bulk_create(Item(track=cast.track, title=f"I {number}", position=number) for number in range(700))
    path = page_of(Track, "change", cast.track.pk)
    assert "704 items" in console.get(path).content.decode()
    assert console.post(path, typed(console, path, title="Longer")).status_code == 302
    cast.track.refresh_from_db()
    assert cast.track.title == "Longer"
    [event] = events("track_updated")
    assert event.metadata == {"changes": {"title": {"before": "Fire Safety Fundamentals", "after": "Longer"}}}
    items = console.get(page_of(Item, "changelist"), {"track__id__exact": str(cast.track.id)})
    assert items.context["cl"].result_count == 704


@pytest.mark.parametrize("term", ["Fire Safety", "fire safety fundamentals", "t-1"])
def test_tracks_are_found_by_title_and_external_id(console: Client, cast: Cast, term: str) -> None:
    Track.objects.filter(id=cast.track.id).update(external_id="t-1")
    assert list(console.get(page_of(Track, "changelist"), {"q": term}).context["cl"].result_list) == [cast.track]


def test_a_title_of_a_page_is_text_that_can_be_printed(console: Client, cast: Cast) -> None:
    path = page_of(Track, "change", cast.track.pk)
    page = console.post(path, typed(console, path, title="Fire \u2066Safety")).content.decode()
    assert "direction overrides are not allowed" in page
