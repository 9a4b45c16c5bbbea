"""Recording attempts: what is answered, what counts, and what counts once."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.models import Membership, TeamRole, User
from cerply.clock import rfc3339
from cerply.permissions import Role
from cerply.tracks.models import CertifiesFrom
from certificates.models import Certificate, Source
from gamification.models import Attempt, Badge, BadgeRule, LearnerLevel, LearnerStanding, RuleKind
from gamification.progress import Recorded, record
from gamification.revising import save_badge
from notifications.models import ManagerNotification
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, give_answers, make_answer, make_track, make_user


def attempt(cast: Cast, **fields: Any) -> dict[str, Any]:
    item = cast.track.items.all()[0]
    return {"trackId": str(cast.track.id), "itemId": str(item.id), "correct": True} | fields


def test_one_attempt(api: Api, cast: Cast) -> None:
    answer = api.post("/attempts", attempt(cast), by=cast.learner)
    assert answer.status == 201
    assert answer.body == {
        "recorded": 1,
        "duplicates": 0,
        "levelChanges": [],
        "badges": [answer.body["badges"][0]],
        "certificates": [],
    }
    assert answer.body["badges"][0]["slug"] == "first-steps"
    stored = Attempt.objects.get()
    assert (stored.source, stored.sequence, stored.credit) == ("self", 1, Decimal(1))


def test_a_batch_crosses_two_thresholds(api: Api, cast: Cast) -> None:
    rows = [attempt(cast, learnerId=str(cast.learner.id)) for _ in range(60)]
    answer = api.post("/attempts", {"attempts": rows}, by=cast.admin)
    assert [(c["previousLevel"], c["newLevel"], c["correctAttempts"]) for c in answer.body["levelChanges"]] == [
        ("novice", "learner", 21),
        ("learner", "practitioner", 51),
    ]
    assert Attempt.objects.filter(source=Source.SYSTEM).count() == 60
    assert AuditEvent.objects.filter(type="level_changed").count() == 2
    assert ManagerNotification.objects.filter(manager=cast.manager, type="level_up").count() == 2


def test_the_same_id_counts_once(api: Api, cast: Cast) -> None:
    row = attempt(cast, id=str(uuid4()))
    first, again = (api.post("/attempts", row, by=cast.learner).body for _ in range(2))
    assert (first["recorded"], first["duplicates"]) == (1, 0)
    assert again == {"recorded": 0, "duplicates": 1, "levelChanges": [], "badges": [], "certificates": []}
    assert Attempt.objects.count() == 1


def test_twice_in_one_batch_counts_once(api: Api, cast: Cast) -> None:
    row = attempt(cast, id=str(uuid4()))
    body = api.post("/attempts", {"attempts": [row, row, attempt(cast)]}, by=cast.learner).body
    assert (body["recorded"], body["duplicates"]) == (2, 1)


def test_one_content_in_two_spellings_is_the_same(api: Api, cast: Cast) -> None:
    row = attempt(cast, id=str(uuid4()))
    api.post("/attempts", row, by=cast.learner)
    del row["correct"]
    assert api.post("/attempts", row | {"credit": 1.0}, by=cast.learner).body["duplicates"] == 1


@pytest.mark.parametrize("change", [{"correct": False}, {"responseMs": 5}, {"occurredAt": "2026-01-01T00:00:00Z"}])
def test_the_same_id_with_other_content_is_a_conflict(api: Api, cast: Cast, change: dict[str, Any]) -> None:
    row = attempt(cast, id=str(uuid4()), learnerId=str(cast.learner.id))
    api.post("/attempts", row, by=cast.admin)
    answer = api.post(
        "/attempts", {"attempts": [attempt(cast, learnerId=str(cast.learner.id)), row | change]}, cast.admin
    )
    assert (answer.status, answer.code) == (409, "CONFLICT")
    assert Attempt.objects.count() == 1


def test_the_same_id_for_another_learner_is_a_conflict(api: Api, cast: Cast) -> None:
    row = attempt(cast, id=str(uuid4()))
    api.post("/attempts", row | {"learnerId": str(cast.learner.id)}, by=cast.admin)
    assert api.post("/attempts", row | {"learnerId": str(cast.colleague.id)}, by=cast.admin).status == 409


def test_ids_are_unique_within_the_organization_only(api: Api, cast: Cast) -> None:
    client_id = str(uuid4())
    item = cast.outside_track.items.all()[0]
    assert api.post("/attempts", attempt(cast, id=client_id), by=cast.learner).body["recorded"] == 1
    theirs = attempt(cast, id=client_id, trackId=str(cast.outside_track.id), itemId=str(item.id))
    assert api.post("/attempts", theirs, by=cast.outsider).body["recorded"] == 1


def test_external_ids_stand_in(api: Api, cast: Cast) -> None:
    learner = make_user(cast.organization, external_id="hr-7")
    track = make_track(cast.organization, external_id="fire")
    track.items.filter(position=0).update(external_id="q1")
    row = {"learnerExternalId": "hr-7", "trackExternalId": "fire", "itemExternalId": "q1", "credit": 0.5}
    assert api.post("/attempts", row, by=cast.admin).status == 201
    assert Attempt.objects.get().learner == learner
    for name in ("learnerExternalId", "trackExternalId", "itemExternalId"):
        answer = api.post("/attempts", row | {name: "nobody's"}, by=cast.admin)
        assert (answer.status, list(answer.details)) == (400, [name])


def test_credit_is_summed_exactly_and_rounded_down(api: Api, cast: Cast) -> None:
    row = attempt(cast, credit=0.1)
    del row["correct"]
    body = api.post("/attempts", {"attempts": [row] * 209}, by=cast.learner).body
    assert body["levelChanges"] == []
    assert LearnerLevel.objects.get().credit == Decimal("20.9")
    assert LearnerStanding.objects.get().correct_answers == 0
    assert api.post("/attempts", row, by=cast.learner).body["levelChanges"][0]["newLevel"] == "learner"


@pytest.mark.parametrize("role", [Role.MANAGER, Role.AUDITOR])
def test_managers_and_auditors_record_nothing(api: Api, cast: Cast, role: Role) -> None:
    assert api.post("/attempts", attempt(cast), by=make_user(cast.organization, role)).status == 403


def test_nobody_records_nothing(api: Api, cast: Cast) -> None:
    assert api.post("/attempts", attempt(cast)).status == 401


@pytest.mark.parametrize("whose", ["colleague", "outsider"])
def test_a_learner_records_for_herself_alone(api: Api, cast: Cast, whose: str) -> None:
    other: User = getattr(cast, whose)
    rows = {"attempts": [attempt(cast), attempt(cast, learnerId=str(other.id))]}
    assert api.post("/attempts", rows, by=cast.learner).status == 403
    assert api.post("/attempts", attempt(cast, learnerExternalId="x"), by=cast.learner).status == 403
    assert api.post("/attempts", attempt(cast, learnerId=str(cast.learner.id).upper()), by=cast.learner).status == 201
    assert Attempt.objects.count() == 1


def test_an_unknown_learner_and_somebody_elses_are_the_same(api: Api, cast: Cast) -> None:
    answers = [
        api.post("/attempts", attempt(cast, learnerId=str(key)), by=cast.admin) for key in (uuid4(), cast.outsider.id)
    ]
    assert [answer.status for answer in answers] == [400, 400]
    assert answers[0].details == answers[1].details == {"learnerId": ["There is no such learner."]}


def test_a_track_of_another_organization_and_an_item_of_another_track_are_unknown(api: Api, cast: Cast) -> None:
    theirs = str(cast.outside_track.id)
    assert list(api.post("/attempts", attempt(cast, trackId=theirs), by=cast.learner).details) == ["trackId"]
    item = make_track(cast.organization).items.all()[0]
    assert list(api.post("/attempts", attempt(cast, itemId=str(item.id)), by=cast.learner).details) == ["itemId"]


def test_a_shared_track_is_everybodys(api: Api, cast: Cast) -> None:
    shared = make_track(None)
    row = attempt(cast, trackId=str(shared.id), itemId=str(shared.items.all()[0].id))
    assert api.post("/attempts", row, by=cast.learner).status == 201
    assert api.post("/attempts", row, by=cast.outsider).status == 201


BAD: list[tuple[dict[str, Any], str]] = [
    ({"correct": "true"}, "correct"),
    ({"correct": 1}, "correct"),
    ({"correct": None}, "correct"),
    ({"credit": 0.5}, "credit"),
    ({"trackId": 7}, "trackId"),
    ({"trackId": "not-a-uuid"}, "trackId"),
    ({"itemId": None}, "itemId"),
    ({"responseMs": -1}, "responseMs"),
    ({"responseMs": 1.5}, "responseMs"),
    ({"responseMs": 10**30}, "responseMs"),
    ({"occurredAt": "9999-12-31T23:59:59Z"}, "occurredAt"),
    ({"occurredAt": "2026-02-30T00:00:00Z"}, "occurredAt"),
    ({"occurredAt": "2020-01-01T00:00:00Z"}, "occurredAt"),
    ({"occurredAt": "2026-01-01"}, "occurredAt"),
    ({"learnerId": []}, "learnerId"),
    ({"nonsense": 1}, "nonsense"),
]


@pytest.mark.parametrize(("change", "named"), BAD)
def test_bad_values_are_named_and_nothing_is_stored(api: Api, cast: Cast, change: dict[str, Any], named: str) -> None:
    answer = api.post("/attempts", attempt(cast) | change, by=cast.learner)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")
    assert named in answer.details
    batch = api.post("/attempts", {"attempts": [attempt(cast), attempt(cast) | change]}, by=cast.learner)
    assert batch.status == 400
    assert named in batch.details["attempts"]["1"]
    assert not Attempt.objects.exists()


@pytest.mark.parametrize("credit", [-0.1, 1.00001, 2, "0.5", True, 0.12345, 1e300])
def test_bad_credit(api: Api, cast: Cast, credit: Any) -> None:
    row = attempt(cast)
    del row["correct"]
    answer = api.post("/attempts", row | {"credit": credit}, by=cast.learner)
    assert (answer.status, list(answer.details)) == (400, ["credit"])


@pytest.mark.parametrize("body", [None, [], "text", 7, {"attempts": []}, {"attempts": {}}, {"attempts": [7]}, {}])
def test_bodies_that_are_no_attempts(api: Api, cast: Cast, body: Any) -> None:
    assert api.post("/attempts", body, by=cast.learner).status == 400


def test_more_than_a_thousand_are_too_many(api: Api, cast: Cast) -> None:
    answer = api.post("/attempts", {"attempts": [attempt(cast)] * 1001}, by=cast.learner)
    assert (answer.status, list(answer.details)) == (400, ["attempts"])


def test_how_far_from_now_an_answer_may_lie(api: Api, cast: Cast) -> None:
    def tried(by: User, away: timedelta, **fields: Any) -> int:
        return api.post("/attempts", attempt(cast, occurredAt=rfc3339(clock.now() + away), **fields), by=by).status

    assert tried(cast.learner, timedelta(minutes=4)) == 201
    assert tried(cast.learner, timedelta(minutes=6)) == 400
    assert tried(cast.learner, timedelta(hours=-23)) == 201
    assert tried(cast.learner, timedelta(hours=-25)) == 400
    assert tried(cast.admin, timedelta(days=-800), learnerId=str(cast.learner.id)) == 201
    assert tried(cast.admin, timedelta(minutes=6), learnerId=str(cast.learner.id)) == 400
    assert tried(cast.admin, timedelta(days=-800), learnerId=str(cast.admin.id)) == 201
    for moment, status in (
        ("1850-06-01T00:00:00Z", 201),
        ("0002-01-01T00:00:00+14:00", 400),
        ("0001-01-01T00:00:00Z", 400),
    ):
        row = attempt(cast, occurredAt=moment, learnerId=str(cast.learner.id))
        assert api.post("/attempts", row, by=cast.admin).status == status


def test_a_row_that_is_sent_again_is_a_duplicate_however_late(api: Api, cast: Cast) -> None:
    """The answer to the first was lost, and a day has passed."""
    now = clock.now()
    row = attempt(cast, id=str(uuid4()), occurredAt=rfc3339(now - timedelta(hours=23)))
    assert api.post("/attempts", row, by=cast.learner).status == 201
    with clock.moved_to(now + timedelta(hours=2)):
        again = api.post("/attempts", {"attempts": [row, attempt(cast)]}, by=cast.learner)
        assert (again.status, again.body["recorded"], again.body["duplicates"]) == (201, 1, 1)
        for other in (row | {"correct": False}, row | {"id": str(uuid4())}):
            answer = api.post("/attempts", {"attempts": [attempt(cast), other]}, by=cast.learner)
            assert (answer.status, list(answer.details["attempts"]["1"])) == (400, ["occurredAt"])


def test_order_of_arrival_decides_and_not_the_time_it_happened(cast: Cast) -> None:
    item = cast.track.items.all()[0]
    now = clock.now()
    for age in (1, 3, 2):
        record([make_answer(cast.learner, item, occurred_at=now - timedelta(hours=age))], actor=ACTOR)
    ages = [(now - attempt.occurred_at).total_seconds() / 3600 for attempt in Attempt.objects.order_by("sequence")]
    assert ages == [1, 3, 2]


def test_the_cost_depends_neither_on_history_nor_on_the_size_of_the_batch(cast: Cast) -> None:
    def cost(number: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            give_answers(cast.learner, cast.track, number, correct=False)
        return len(queries)

    give_answers(cast.learner, cast.track, 1)
    first = cost(1)
    give_answers(cast.learner, cast.track, 500)
    assert cost(1) == first
    assert cost(1000) <= first + 2


def test_the_cost_stays_the_same_while_levels_badges_and_certificates_are_earned(cast: Cast) -> None:
    """One answer each time, which raises a level, earns a badge and completes a track."""
    for count in (21, 521):
        badge = Badge(slug=f"badge-{count}", name="Badge", description="A badge.", icon="b")
        save_badge(badge, BadgeRule(kind=RuleKind.CORRECT_ANSWERS, count=count), actor=ACTOR)
    short, long = cast.learner, make_user(cast.organization)
    Membership.objects.create(team=cast.team, user=long, role=TeamRole.MEMBER)
    track = make_track(cast.organization, items=2)
    first, last = track.items.all()
    elsewhere = cast.track.items.all()[0]
    complete(cast.colleague, track)  # makes the signing key, and this version of the track

    def cost(learner: User, before: int) -> int:
        record([make_answer(learner, item) for item in [elsewhere] * before + [first] * 20], actor=ACTOR)
        with CaptureQueriesContext(connection) as queries:
            outcome = record([make_answer(learner, last)], actor=ACTOR)
        assert [len(outcome.level_changes), len(outcome.badges), len(outcome.certificates)] == [1, 1, 1]
        return len(queries)

    assert cost(short, 0) == cost(long, 500)


def test_the_cost_of_a_batch_does_not_depend_on_what_it_earns(cast: Cast) -> None:
    """Forty answers, or a thousand of four learners who each complete ten tracks and raise levels in them."""
    complete(cast.colleague, make_track(cast.organization, items=1))  # makes the signing key
    tracks = [make_track(cast.organization, items=1) for _ in range(10)]

    def cost(learners: int, tracks_each: int, times: int) -> tuple[int, Recorded]:
        people = [make_user(cast.organization) for _ in range(learners)]
        Membership.objects.bulk_create(Membership(team=cast.team, user=user, role=TeamRole.MEMBER) for user in people)
        answers = [
            make_answer(person, track.items.all()[0], response_ms=10)
            for person in people
            for track in tracks[:tracks_each]
            for _ in range(times)
        ]
        with CaptureQueriesContext(connection) as queries:
            outcome = record(answers, actor=ACTOR)
        return len(queries), outcome

    few, little = cost(1, 1, 25)
    many, much = cost(4, 10, 25)
    assert [len(little.level_changes), len(little.badges), len(little.certificates)] == [1, 3, 1]
    assert [len(much.level_changes), len(much.badges), len(much.certificates)] == [40, 16, 40]
    assert many <= few + 2


def test_when_something_fails_nothing_is_stored(api: Api, cast: Cast) -> None:
    """A track of one item: the certificate cannot be signed, so the answer is not there either."""
    single = make_track(cast.organization, items=1)
    give_answers(cast.colleague, single, 1)
    before = (Attempt.objects.count(), AuditEvent.objects.count())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE signing_keys SET sealed_private_key = 'broken'::bytea")
    row = attempt(cast, trackId=str(single.id), itemId=str(single.items.all()[0].id))
    api.client.raise_request_exception = False
    answer = api.call("POST", "/attempts", row, by=cast.learner)
    assert answer.status == 500
    assert (Attempt.objects.count(), LearnerLevel.objects.filter(learner=cast.learner).count()) == (before[0], 0)


def test_whose_answers_complete_a_track(api: Api, cast: Cast) -> None:
    strict = make_track(cast.organization, items=1, certifies_from=CertifiesFrom.SYSTEM)
    row = attempt(cast, trackId=str(strict.id), itemId=str(strict.items.all()[0].id))
    assert api.post("/attempts", row, by=cast.learner).body["certificates"] == []
    by_admin = api.post("/attempts", row | {"learnerId": str(cast.learner.id)}, by=cast.admin)
    assert len(by_admin.body["certificates"]) == 1
    assert Certificate.objects.get().source == Source.SYSTEM
    own = api.post("/attempts", row | {"learnerId": str(cast.admin.id)}, by=cast.admin)
    assert own.body["certificates"] == []
