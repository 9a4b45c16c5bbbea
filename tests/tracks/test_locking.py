"""Tracks and items that two people change at once, or that are answered while they go."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from audit.models import AuditEvent
from cerply.errors import Invalid
from cerply.tracks import editing
from cerply.tracks.models import Item, Track
from gamification.models import Attempt
from gamification.progress import ItemsGone, record
from tests.api.client import Api
from tests.factories import ACTOR, Cast, make_answer, make_cast, make_staff, make_track
from tests.threads import at_once, meanwhile

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def second_of(first: Callable[[], Any], second: Callable[[], Any]) -> Any:
    """What comes of the second one, which sets out while the first is not committed."""
    with transaction.atomic():
        first()
        future = meanwhile(second)
    return future.result(timeout=60)


def change(track: Track) -> Callable[[], Any]:
    return partial(editing.change_track, track.id, {"externalId": "x"}, actor=ACTOR)


def test_of_two_tracks_that_take_one_external_id_the_second_is_told(cast: Cast) -> None:
    api, token = Api(), Api().token_of(cast.admin)
    one, other = make_track(cast.organization), make_track(cast.organization)
    patch = partial(api.patch, f"/tracks/{other.id}", {"externalId": "x"}, by=token)
    answer = second_of(change(one), patch)
    assert (answer.status, answer.details) == (400, {"externalId": [editing.TRACK_TAKEN]})


def test_a_track_that_is_saved_finds_the_one_that_took_its_external_id(cast: Cast) -> None:
    save = partial(editing.save_track, cast.organization.id, {"externalId": "x", "title": "X"}, actor=ACTOR)
    track, is_new = second_of(change(cast.track), save)
    assert (track.id, track.title, is_new) == (cast.track.id, "X", False)


@pytest.mark.parametrize("make", [True, False])
def test_shared_tracks_do_not_share_an_external_id(cast: Cast, make: bool) -> None:
    values = {"externalId": "x", "title": "X"}
    second = partial(editing.create_track, None, values, actor=ACTOR) if make else change(make_track(None))
    with pytest.raises(Invalid) as refused:
        second_of(change(make_track(None)), second)
    assert refused.value.details == {"externalId": [editing.TRACK_TAKEN]}
    change(make_track(cast.organization))()
    assert Track.objects.filter(external_id="x").count() == 2


def test_the_admin_says_that_it_is_taken(cast: Cast) -> None:
    make_track(None, external_id="x")
    other = make_track(None, items=1)
    console = Client()
    console.force_login(make_staff())
    form = {"title": "Twin", "external_id": "x", "certifies_from": "any", "language": "en", "organization": ""}
    lines = {"items-TOTAL_FORMS": "0", "items-INITIAL_FORMS": "0"}
    for page in ("add/", f"{other.id}/change/"):
        answer = console.post(f"/admin/tracks/track/{page}", form | lines)
        assert answer.status_code == 200
        assert "with this external id already" in answer.content.decode()
    other.refresh_from_db()
    assert other.external_id is None


def test_shared_twins_of_before_get_external_ids_of_their_own(cast: Cast) -> None:
    with connection.schema_editor() as editor:
        [unique] = [row for row in Track._meta.constraints if row.name == "tracks_external_id_unique"]
        editor.remove_constraint(Track, unique)
    try:
        one, other = (make_track(None, external_id="x" * 255) for _ in range(2))
        with connection.cursor() as cursor:
            cursor.execute(import_module("cerply.tracks.migrations.0002_shared_twins").RENAME)
        one.refresh_from_db()
        other.refresh_from_db()
        assert (one.external_id, other.external_id) == ("x" * 255, f"{'x' * 218} {other.id}")
    finally:
        with connection.schema_editor() as editor:
            editor.add_constraint(Track, unique)


def test_of_two_items_that_take_one_external_id_the_second_is_told(cast: Cast) -> None:
    api, token = Api(), Api().token_of(cast.admin)
    one, other = cast.track.items.all()[:2]
    first = partial(editing.change_item, one.id, {"externalId": "x"}, actor=ACTOR)
    patch = partial(api.patch, f"/tracks/{cast.track.id}/items/{other.id}", {"externalId": "x"}, by=token)
    answer = second_of(first, patch)
    assert (answer.status, answer.details) == (400, {"externalId": [editing.ITEM_TAKEN]})


def test_an_item_that_is_saved_finds_the_one_that_took_its_external_id(cast: Cast) -> None:
    item = cast.track.items.all()[0]
    first = partial(editing.change_item, item.id, {"externalId": "x"}, actor=ACTOR)
    save = partial(editing.save_items, cast.track.id, [{"externalId": "x", "title": "X"}], actor=ACTOR)
    saved = second_of(first, save)
    assert ([row.id for row in saved.items], saved.updated) == ([item.id], 1)


@pytest.mark.slow
def test_of_many_who_take_one_external_id_at_once_one_gets_it(cast: Cast) -> None:
    tracks = [cast.track, *(make_track(cast.organization) for _ in range(5))]
    items = list(cast.track.items.all())
    token = Api().token_of(cast.admin)

    def patch(path: str) -> int:
        return Api().patch(path, {"externalId": "x"}, by=token).status

    of_tracks = at_once([partial(patch, f"/tracks/{track.id}") for track in tracks])
    of_items = at_once([partial(patch, f"/tracks/{cast.track.id}/items/{item.id}") for item in items])
    assert sorted(of_tracks) == [200] + [400] * 5
    assert sorted(of_items) == [200] + [400] * 3


def test_an_item_that_is_answered_while_it_goes_is_retired(cast: Cast) -> None:
    item = cast.track.items.all()[0]
    removing = None
    # Who records without holding the item is refused when she commits; who holds it keeps it.
    with suppress(IntegrityError), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM items WHERE id = %s FOR KEY SHARE", [item.id])
        record([make_answer(cast.learner, item)], actor=ACTOR)
        removing = meanwhile(partial(editing.remove_item, item.id, actor=ACTOR))
    assert removing is not None
    assert removing.result(timeout=60) is False
    assert Item.objects.get(id=item.id).retired_at is not None
    assert Attempt.objects.filter(item=item).count() == 1


@pytest.mark.slow
def test_answers_and_deletions_at_once_leave_no_answer_without_its_item(cast: Cast) -> None:
    def answer(item: Item) -> str:
        try:
            record([make_answer(cast.learner, item)], actor=ACTOR)
        except ItemsGone:
            return "refused"
        return "recorded"

    items = list(make_track(cast.organization, items=8).items.all())
    calls: list[Callable[[], Any]] = [partial(answer, item) for item in items]
    calls += [partial(editing.remove_item, item.id, actor=ACTOR) for item in items]
    results = at_once(calls)
    for item, answered, removed in zip(items, results[:8], results[8:], strict=True):
        assert removed is (answered == "refused")
        assert Item.objects.filter(id=item.id).exists() is (answered == "recorded")
    assert AuditEvent.objects.filter(type="items_changed").count() == 8
