"""What is committed while a recording waits, or is not yet committed itself."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from cerply.tracks import editing
from cerply.tracks.models import CertifiesFrom
from certificates.models import Certificate
from gamification import catchup
from gamification.models import Attempt, Completion, LearnerBadge, LearnerStanding
from ops.features import Feature, set_toggle
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, give_answers, make_cast, make_track
from tests.management.watching import eventually
from tests.threads import closing

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@contextmanager
def another_session() -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """Starts calls in a thread with a connection of its own."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda call: pool.submit(closing(call))


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


def switch(cast: Cast, on: bool) -> None:
    for feature in Feature:
        set_toggle(feature, cast.organization.id, on, actor=ACTOR, reason="A test.")


def test_an_answer_that_waited_goes_by_what_the_track_takes_now(cast: Cast) -> None:
    """Her own answer would close the track; while it waits for her lock, the track comes to take the systems' alone."""
    track = make_track(cast.organization, items=1, certifies_from=CertifiesFrom.ANY)
    give_answers(cast.learner, cast.track, 1)
    token = Api().token_of(cast.learner)
    body = {"trackId": str(track.id), "itemId": str(track.items.get().id), "correct": True}
    with another_session() as start, another_session() as start_other:
        with transaction.atomic():
            LearnerStanding.objects.lock([cast.learner])
            waiting = start(lambda: Api().post("/attempts", body, by=token))
            eventually(somebody_waits)
            start_other(
                partial(editing.change_track, track.id, {"certifiesFrom": CertifiesFrom.SYSTEM}, actor=ACTOR)
            ).result()
        answer = waiting.result()
    assert (answer.status, answer.body["certificates"]) == (201, [])
    assert not Completion.objects.exists()


@pytest.mark.parametrize("batch", [False, True])
def test_an_item_that_is_deleted_meanwhile_is_unknown(cast: Cast, batch: bool) -> None:
    item, kept = cast.track.items.all()[:2]
    token = Api().token_of(cast.learner)
    row = {"trackId": str(cast.track.id), "itemId": str(item.id), "correct": True}
    with another_session() as start:
        with transaction.atomic():
            editing.remove_item(item.id, actor=ACTOR)
            body = {"attempts": [row | {"itemId": str(kept.id)}, row]} if batch else row
            waiting = start(lambda: Api().post("/attempts", body, by=token))
            eventually(somebody_waits)
        answer = waiting.result()
    unknown = Api().post("/attempts", row | {"itemId": str(uuid4())}, by=token)
    assert answer.status == unknown.status == 400
    assert answer.details == ({"attempts": {"1": unknown.details}} if batch else unknown.details)
    assert not Attempt.objects.exists()


def test_a_first_recording_under_way_while_features_are_switched_on(cast: Cast) -> None:
    """It took them to be off; the job that comes before it is committed cannot see it, and the next one does."""
    switch(cast, on=False)
    with another_session() as start, transaction.atomic():
        complete(cast.learner, cast.track)
        start(partial(switch, cast, on=True)).result()
        assert start(catchup.resume).result() == "Caught up 0 learners."
    catchup.resume()
    assert LearnerBadge.objects.get().badge.slug == "first-steps"
    assert Completion.objects.get().certificate == Certificate.objects.get()


def test_who_is_being_recorded_is_left_to_the_next_run(cast: Cast) -> None:
    switch(cast, on=False)
    give_answers(cast.learner, cast.track, 1)
    give_answers(cast.colleague, cast.track, 1)
    switch(cast, on=True)
    with another_session() as start, transaction.atomic():
        LearnerStanding.objects.lock([cast.learner])
        assert start(catchup.resume).result() == "Caught up 1 learners."
    assert catchup.resume() == "Caught up 1 learners."
    assert LearnerBadge.objects.count() == 2
