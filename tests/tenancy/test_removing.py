"""Each tenant filter matters: without it somebody of ours learns or changes something, or is told something else."""

from collections import defaultdict
from typing import Any

import pytest

from tests.tenancy.calls import Call, calls, undone
from tests.tenancy.removing import methods, places, put_in
from tests.tenancy.world import World, make_world

pytestmark = pytest.mark.slow

# Filters without which no answer changes, for another one stands behind them.
SECOND_WALLS: dict[str, str] = {
    "cerply/accounts/people.py known_external_ids": "whether a password is hashed; see tests/accounts/test_people.py",
    "certificates/holding.py ShareLinkView.find": "it is a link of a certificate that was found",
    "certificates/holding.py require_holder": "the learner is the caller herself",
    "notifications/models/inbox.py NotificationQuerySet.inbox_of": "the manager is the caller herself",
}
# Filters in what no call of the API does, and which tests notice that they are gone.
NOT_FOR_CALLERS: dict[str, str] = {}


@pytest.mark.django_db
def test_no_filter_can_go_unnoticed(monkeypatch: pytest.MonkeyPatch) -> None:
    filters = put_in(monkeypatch)
    world = make_world()
    reaching: dict[str, list[tuple[Call, Any]]] = defaultdict(list)
    for call in calls(world):
        filters.reached.clear()
        seen = observed(world, call)
        for place in filters.reached:
            reaching[place].append((call, seen))
    unnoticed = set()
    for place, reached in reaching.items():
        with filters.without(place):
            if all(observed(world, call) == seen for call, seen in reached):
                unnoticed.add(place)
    assert unnoticed == SECOND_WALLS.keys()
    assert set(places()) - reaching.keys() == NOT_FOR_CALLERS.keys()


def observed(world: World, call: Call) -> Any:
    answer, left = undone(world, call)
    return answer.shape, left


def test_the_methods_that_are_taken_away_are_found() -> None:
    found = {f"{cls.__name__}.{name}" for cls, name in methods()}
    assert found >= {
        "TenantQuerySet.for_organization",
        "TenantQuerySet.in_reach_of",
        "UserQuerySet.visible_to",
        "TrackQuerySet.usable_by",
        "CertificateQuerySet.visible_to",
        "MembershipQuerySet.managed_by",
        "AuditEventQuerySet.for_organization",
        "SegmentQuerySet.for_organization",
    }
