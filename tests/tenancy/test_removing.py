"""Each tenant filter matters: without it somebody of ours learns or changes something, or is told something else."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError

from cerply.errors import ApiError
from tests.tenancy.calls import Call, call_as_ours, calls, undone
from tests.tenancy.deeds import DEEDS
from tests.tenancy.removing import methods, places, put_in
from tests.tenancy.world import World, make_world

pytestmark = pytest.mark.slow

# Filters without which nothing changes, and what stands behind them.
SECOND_WALLS = {
    "cerply/accounts/people.py known_external_ids": "who turns out to be new has her password hashed later",
    "certificates/holding.py ShareLinkView.find": "a certificate that was found before",
    "certificates/holding.py ShareLinksView.get": "a certificate that was found before",
    "certificates/holding.py require_holder": "the learner is the caller herself",
    "certificates/views.py LearnerCertificatesView.get": "a learner who was found before",
    "gamification/views.py BadgesView.get": "a learner who was found before",
    "gamification/views.py LevelsView.get": "a learner who was found before",
    "notifications/models/inbox.py NotificationQuerySet.inbox_of": "the manager is the caller herself",
    "notifications/views.py NotificationView.get": "a notification that was found before",
}
# Filters to which neither these calls nor these deeds come, and the tests that fail without them.
ELSEWHERE = {
    "audit/admin.py OrganizationFilter.queryset": "tests/audit/test_admin.py",
    "audit/verifying.py _check_gone": "tests/audit/test_verifying.py",
    "cerply/accounts/admin/teams.py people_form": "tests/accounts/test_admin_people.py",
    "cerply/accounts/backends.py EmailBackend.authenticate": "tests/accounts/test_signing_in.py",
    "certificates/issuers.py trusted_keys": "tests/certificates/test_publishing.py",
    "certificates/models/designs.py CertificateDesignQuerySet.current_of": "tests/certificates/test_designs.py",
    "notifications/inbox_pages.py NotificationPage.find": "tests/notifications/test_inbox_pages.py",
    "cerply/management/demo_data/history.py History._happen_besides": "none: it is the demo's own data",
    "certificates/verifying.py _has_its_signature": "none: the key is named by its id, and it refuses in any case",
    "gamification/bulk_issuing.py Circle.owed": "none: the learners are those that `Circle.learners` found",
    "gamification/resolving.py _unknown": "none: what it is compared with names the learner",
    "gamification/resolving.py resolve_sharer": "none: what it is compared with names the learner",
    "notifications/counting.py Counts.by_type": "none: the manager is the caller herself",
}


@pytest.mark.django_db
def test_no_filter_can_go_unnoticed(monkeypatch: pytest.MonkeyPatch) -> None:
    filters = put_in(monkeypatch)
    world = make_world()
    doings = [*(partial(shape_of, world, call) for call in calls(world)), *(partial(deed, world) for deed in DEEDS)]
    reaching: dict[str, list[tuple[Callable[[], Any], Any]]] = defaultdict(list)
    for do in doings:
        filters.reached.clear()
        seen = undone(world, do)
        for place in filters.reached:
            reaching[place].append((do, seen))
    unnoticed = set()
    for place, reached in reaching.items():
        with filters.without(place):
            if all(is_as_before(world, do, seen) for do, seen in reached):
                unnoticed.add(place)
    assert unnoticed == SECOND_WALLS.keys()
    assert set(places()) - reaching.keys() == ELSEWHERE.keys()


def is_as_before(world: World, do: Callable[[], Any], seen: Any) -> bool:
    try:
        return bool(undone(world, do) == seen)
    except (ApiError, DatabaseError):
        return False


def shape_of(world: World, call: Call) -> Any:
    return call_as_ours(world, call).shape


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
