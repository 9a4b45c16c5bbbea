"""Many callers at once: nothing counts twice, nothing is lost, nobody waits for ever."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from audit import kpis
from audit.models import AuditEvent
from certificates.models import Certificate
from gamification.models import Attempt, Completion, LearnerBadge, LearnerLevel, LearnerStanding, Share
from gamification.progress import record
from notifications.models import ManagerNotification
from tests.api.client import Answer, Api
from tests.factories import ACTOR, Cast, give_answers, make_answer, make_cast, make_track, make_user
from tests.management.watching import eventually
from tests.threads import closing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CALLERS = 16


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def at_once(call: Callable[[int], Answer]) -> list[Answer]:
    """The answers of so many callers, who set out at the same moment."""
    together = Barrier(CALLERS)

    def caller(number: int) -> Answer:
        try:
            together.wait()
            return call(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(caller, range(CALLERS)))


def row(cast: Cast, item: int = 0, **fields: Any) -> dict[str, Any]:
    chosen = cast.track.items.all()[item]
    return {"trackId": str(cast.track.id), "itemId": str(chosen.id), "correct": True, "responseMs": 10, **fields}


def test_the_same_attempts_from_everybody_count_once(cast: Cast) -> None:
    rows = [row(cast, id=str(uuid4())) for _ in range(30)]
    token = Api().token_of(cast.learner)
    answers = at_once(lambda _: Api().post("/attempts", {"attempts": rows}, by=token))
    assert {answer.status for answer in answers} == {201}
    assert sum(answer.body["recorded"] for answer in answers) == 30
    assert Attempt.objects.count() == 30
    assert LearnerLevel.objects.get().correct_attempts == 30
    assert Counter(LearnerBadge.objects.values_list("badge__slug", flat=True)) == Counter(
        ["first-steps", "speed-demon", "perfectionist"]
    )
    assert sum(len(answer.body["badges"]) for answer in answers) == 3
    totals = kpis.totals()
    assert (totals["badges_awarded"], totals["levels_changed"]) == (3, 1)
    assert AuditEvent.objects.filter(type="badge_awarded").count() == 3
    assert ManagerNotification.objects.count() == 4


def test_different_attempts_of_one_learner_all_count_in_a_gapless_order(cast: Cast) -> None:
    token = Api().token_of(cast.learner)
    answers = at_once(lambda _: Api().post("/attempts", {"attempts": [row(cast)] * 5}, by=token))
    assert {answer.status for answer in answers} == {201}
    order = Attempt.objects.order_by("sequence").values_list("sequence", flat=True)
    assert list(order) == list(range(1, 5 * CALLERS + 1))
    assert LearnerStanding.objects.get().correct_answers == 5 * CALLERS
    assert sum(len(answer.body["levelChanges"]) for answer in answers) == 2


def test_batches_over_the_same_learners_in_any_order_do_not_deadlock(cast: Cast) -> None:
    learners = [str(cast.learner.id), str(cast.colleague.id), str(cast.manager.id)]
    token = Api().token_of(cast.admin)

    def call(number: int) -> Answer:
        turned = learners[number % 3 :] + learners[: number % 3]
        return Api().post("/attempts", {"attempts": [row(cast, learnerId=key) for key in turned]}, by=token)

    assert {answer.status for answer in at_once(call)} == {201}
    assert Attempt.objects.count() == 3 * CALLERS


def test_the_last_item_issues_one_certificate(cast: Cast) -> None:
    token = Api().token_of(cast.learner)
    Api().post("/attempts", {"attempts": [row(cast, item) for item in range(3)]}, by=token)
    answers = at_once(lambda _: Api().post("/attempts", row(cast, 3), by=token))
    assert sum(len(answer.body["certificates"]) for answer in answers) == 1
    assert (Certificate.objects.count(), Completion.objects.count()) == (1, 1)
    assert kpis.totals()["certificates_issued"] == 1


def test_first_certificates_of_many_learners_share_one_key(cast: Cast) -> None:
    single = make_track(cast.organization, items=1)
    item = str(single.items.all()[0].id)
    learners = [cast.learner, cast.colleague, cast.manager, cast.auditor]
    token = Api().token_of(cast.admin)

    def call(number: int) -> Answer:
        learner = learners[number % len(learners)]
        body = {"trackId": str(single.id), "itemId": item, "learnerId": str(learner.id), "correct": True}
        return Api().post("/attempts", body, by=token)

    assert {answer.status for answer in at_once(call)} == {201}
    assert Certificate.objects.count() == 4
    assert Certificate.objects.values("credential__key").distinct().count() == 1


def test_the_same_idempotency_key_has_one_effect(cast: Cast) -> None:
    token = Api().token_of(cast.learner)
    answers = at_once(lambda _: Api().post("/attempts", row(cast), by=token, x_idempotency_key="once"))
    assert {answer.status for answer in answers} <= {201, 409}
    assert Attempt.objects.count() == 1
    bodies = {answer.content for answer in answers if answer.status == 201}
    assert len(bodies) == 1
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status == 409)


def test_the_same_client_id_for_two_learners_is_taken_by_one(cast: Cast) -> None:
    client_id, token = str(uuid4()), Api().token_of(cast.admin)
    learners = [str(cast.learner.id), str(cast.colleague.id)]
    answers = at_once(
        lambda number: Api().post("/attempts", row(cast, id=client_id, learnerId=learners[number % 2]), by=token)
    )
    assert {answer.status for answer in answers} == {201, 409}
    assert Attempt.objects.count() == 1


def test_client_ids_that_cross_between_learners_are_taken_whole_or_not_at_all(cast: Cast) -> None:
    """Everybody sends the same ids for a learner of her own, every other one backwards; nobody waits in a circle.

    Another recording has the one in the middle until all of them have come as far as they can.
    """
    ids = sorted(uuid4() for _ in range(9))
    learners = [str(make_user(cast.organization).id) for _ in range(CALLERS)]
    chosen = row(cast)
    token = Api().token_of(cast.admin)

    def send(number: int) -> Answer:
        ordered = ids if number % 2 else ids[::-1]
        rows = [chosen | {"id": str(key), "learnerId": learners[number]} for key in ordered]
        return Api().post("/attempts", {"attempts": rows}, by=token)

    def all_wait() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
            return bool(cursor.fetchone()[0] == CALLERS)

    with ThreadPoolExecutor(CALLERS) as pool:
        with transaction.atomic():
            item = cast.track.items.all()[0]
            record([make_answer(cast.learner, item, client_id=ids[4])], actor=ACTOR)
            sent = [pool.submit(closing(partial(send, number))) for number in range(CALLERS)]
            eventually(all_wait)
            transaction.set_rollback(True)
        answers = [future.result() for future in sent]
    assert Counter(answer.status for answer in answers) == {201: 1, 409: CALLERS - 1}
    assert Attempt.objects.values("learner").distinct().count() == 1
    assert Attempt.objects.count() == len(ids)


def test_the_same_artefact_shared_at_once_counts_once(cast: Cast) -> None:
    token = Api().token_of(cast.learner)
    answers = at_once(lambda number: Api().post("/shares", {"artefactId": f"a{number % 3}"}, by=token))
    assert {answer.status for answer in answers} == {201}
    assert (Share.objects.count(), LearnerStanding.objects.get().shares) == (3, 3)
    assert LearnerBadge.objects.filter(badge__slug="knowledge-sharer").count() == 1


def test_answers_and_a_completion_from_outside_at_once(cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 1)
    token = Api().token_of(cast.admin)

    def call(number: int) -> Answer:
        if number % 2:
            return Api().post(f"/learners/{cast.learner.id}/completions", {"trackId": str(cast.track.id)}, by=token)
        rows = [row(cast, item, learnerId=str(cast.learner.id)) for item in range(4)]
        return Api().post("/attempts", {"attempts": rows}, by=token)

    assert {answer.status for answer in at_once(call)} == {201}
    assert Certificate.objects.standing().count() == 1
    cycles = sorted(Completion.objects.values_list("cycle", flat=True))
    assert cycles == list(range(1, len(cycles) + 1))
