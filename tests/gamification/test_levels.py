"""Levels: thresholds, tracks apart, and what the API says of them."""

import pytest

from cerply.permissions import Role
from tests.api.client import Api
from tests.factories import Cast, complete, give_answers, make_track, make_user


@pytest.mark.parametrize(
    ("correct", "level", "following", "missing"),
    [
        (0, "novice", "learner", 21),
        (20, "novice", "learner", 1),
        (21, "learner", "practitioner", 30),
        (50, "learner", "practitioner", 1),
        (51, "practitioner", "expert", 50),
        (100, "practitioner", "expert", 1),
        (101, "expert", "master", 100),
        (200, "expert", "master", 1),
        (201, "master", None, None),
    ],
)
def test_thresholds(api: Api, cast: Cast, correct: int, level: str, following: str | None, missing: int | None) -> None:
    give_answers(cast.learner, cast.track, correct) if correct else None
    answer = api.get(f"/learners/{cast.learner.id}/level/{cast.track.id}", by=cast.learner)
    assert answer.status == 200
    assert answer.body | {"leveledUpAt": None} == {
        "userId": str(cast.learner.id),
        "trackId": str(cast.track.id),
        "trackTitle": cast.track.title,
        "level": level,
        "correctAttempts": correct,
        "nextLevel": following,
        "attemptsToNext": missing,
        "leveledUpAt": None,
    }
    assert (answer.body["leveledUpAt"] is None) == (level == "novice")


def test_tracks_are_apart(api: Api, cast: Cast) -> None:
    other = make_track(cast.organization, title="Another")
    give_answers(cast.learner, cast.track, 25)
    give_answers(cast.learner, other, 3)
    rows = api.get(f"/learners/{cast.learner.id}/levels", by=cast.learner).body["levels"]
    assert [(row["trackTitle"], row["level"], row["correctAttempts"]) for row in rows] == [
        ("Another", "novice", 3),
        (cast.track.title, "learner", 25),
    ]


def test_wrong_answers_raise_no_level(api: Api, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 30, correct=False)
    answer = api.get(f"/learners/{cast.learner.id}/level/{cast.track.id}", by=cast.learner)
    assert (answer.body["level"], answer.body["correctAttempts"]) == ("novice", 0)


def test_who_may_see_a_level(api: Api, cast: Cast) -> None:
    path = f"/learners/{cast.learner.id}/level/{cast.track.id}"
    seen = {
        name: api.get(path, by=getattr(cast, name)).status
        for name in ("learner", "manager", "admin", "auditor", "colleague", "outsider", "outside_manager")
    }
    assert seen == {
        "learner": 200,
        "manager": 200,
        "admin": 200,
        "auditor": 200,
        "colleague": 403,
        "outsider": 403,
        "outside_manager": 403,
    }
    assert api.get(path).status == 401
    assert api.get(path, by=cast.outside_admin).status == 404
    assert api.get(path, by=make_user(cast.organization, Role.MANAGER)).status == 403


def test_a_track_of_somebody_else_is_unknown(api: Api, cast: Cast) -> None:
    assert api.get(f"/learners/{cast.learner.id}/level/{cast.outside_track.id}", by=cast.learner).status == 404


def test_the_answer_is_visible_at_once(api: Api, cast: Cast) -> None:
    outcome = complete(cast.learner, cast.track)
    assert len(outcome.certificates) == 1
    rows = api.get(f"/learners/{cast.learner.id}/levels", by=cast.manager)
    assert rows.body["total"] == 1
