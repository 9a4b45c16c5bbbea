"""How certificates stood at any time."""

from datetime import datetime, timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from cerply import clock
from cerply.clock import rfc3339
from certificates.models import Certificate, Status
from certificates.replacing import replace
from certificates.revoking import revoke
from certificates.suspending import reinstate, reinstate_many, suspend, suspend_many
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, make_track, make_user


def test_history_at_any_time(api: Api, cast: Cast) -> None:
    """Each change in turn; afterwards every moment in between still tells what was."""
    start = clock.now() - timedelta(days=100)

    def day(number: int) -> datetime:
        return start + timedelta(days=number)

    track = make_track(cast.organization, items=1, valid_months=2)
    with clock.moved_to(day(0)):
        [first] = complete(cast.learner, track).certificates
    with clock.moved_to(day(10)):
        suspend(first.id, "x", actor=ACTOR)
    with clock.moved_to(day(20)):
        reinstate(first.id, "x", actor=ACTOR)
    with clock.moved_to(day(22)):
        suspend(first.id, "x", actor=ACTOR)
    with clock.moved_to(day(24)):
        reinstate(first.id, "x", actor=ACTOR)
    with clock.moved_to(day(30)):
        second = replace(first.id, "x", learner_name="Maja", actor=ACTOR).replaced_by
    assert second is not None
    with clock.moved_to(day(70)):
        suspend(second.id, "x", actor=ACTOR)
    with clock.moved_to(day(80)):
        revoke(second.id, "x", actor=ACTOR)
    expected = {
        -1: [],
        5: [(first, "valid")],
        15: [(first, "suspended")],
        21: [(first, "valid")],
        23: [(first, "suspended")],
        25: [(first, "valid")],
        40: [(first, "replaced"), (second, "valid")],
        65: [(first, "replaced"), (second, "expired")],
        75: [(first, "replaced"), (second, "suspended")],
        90: [(first, "replaced"), (second, "revoked")],
    }
    for number, then in expected.items():
        wanted = {(str(certificate.id), status) for certificate, status in then}
        path = f"/certificates?asOf={rfc3339(day(number))}"
        rows = api.get(path, by=cast.admin).body["certificates"]
        assert {(row["id"], row["status"]) for row in rows} == wanted, number
        successors = {row["id"]: row["replacedBy"] for row in rows if row["replacedBy"]}
        assert successors == ({str(first.id): str(second.id)} if number > 30 else {}), number
        by_status = {
            (row["id"], status.value)
            for status in Status
            for row in api.get(f"{path}&status={status}", by=cast.admin).body["certificates"]
        }
        assert by_status == wanted, number


def test_the_list_of_a_past_moment_asks_no_more_for_many(api: Api, cast: Cast) -> None:
    def cost() -> int:
        path = f"/certificates?asOf={rfc3339(then)}"
        with CaptureQueriesContext(connection) as queries:
            rows = api.get(path, by=cast.admin).body["certificates"]
        assert {row["status"] for row in rows} == {"suspended"}
        return len(queries)

    def more(number: int) -> list[Certificate]:
        made = [complete(make_user(cast.organization), cast.track).certificates[0] for _ in range(number)]
        suspend_many([each.id for each in made], "x", actor=ACTOR)
        return made

    made = more(6)
    then = clock.now()
    cost()
    reinstate_many([each.id for each in made[:2]], "x", actor=ACTOR)
    few = cost()
    reinstate_many([each.id for each in made], "x", actor=ACTOR)
    assert cost() == few
