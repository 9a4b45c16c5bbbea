"""Each tenant filter matters: without it somebody of ours learns or changes something, or is told something else."""

from collections import defaultdict
from typing import Any

import pytest

from tests.tenancy.calls import Call, calls, undone
from tests.tenancy.removing import methods, places, put_in
from tests.tenancy.world import World, make_world

pytestmark = pytest.mark.slow

# Filters without which no answer changes, and what stands behind them.
SECOND_WALLS = {
    "certificates/holding.py ShareLinkView.find": "a certificate that was found before",
    "certificates/holding.py ShareLinksView.get": "a certificate that was found before",
    "certificates/holding.py require_holder": "the learner is the caller herself",
    "certificates/views.py LearnerCertificatesView.get": "a learner who was found before",
    "gamification/views.py BadgesView.get": "a learner who was found before",
    "gamification/views.py LevelsView.get": "a learner who was found before",
    "notifications/models/inbox.py NotificationQuerySet.inbox_of": "the manager is the caller herself",
    "notifications/views.py NotificationView.get": "a notification that was found before",
    # None, but a test.
    "cerply/accounts/people.py known_external_ids": "tests/accounts/test_people.py",
    "notifications/webhooks/endpoints.py create": "tests/notifications/test_webhooks.py",
}
# Filters in what these calls do not come to, and the tests that fail without them.
ELSEWHERE = {
    "audit/admin.py OrganizationFilter.queryset": "tests/audit/test_admin.py",
    "audit/verifying.py _check_gone": "tests/audit/test_verifying.py",
    "audit/verifying.py go_along": "tests/audit/test_verifying_chains.py",
    "cerply/accounts/admin/teams.py people_form": "tests/accounts/test_admin_people.py",
    "cerply/accounts/backends.py EmailBackend.authenticate": "tests/accounts/test_signing_in.py",
    "cerply/accounts/teams.py place": "tests/accounts/test_importing.py",
    "cerply/management/demo_data/history.py History._happen_besides": "the demo's own data",
    "certificates/issuers.py trusted_keys": "tests/certificates/test_keys.py",
    "certificates/keys.py rotate": "tests/certificates/test_keys.py",
    "certificates/keys.py signer_of": "tests/certificates/test_keys.py",
    "certificates/models/designs.py CertificateDesignQuerySet.current_of": "tests/certificates/test_designs.py",
    "certificates/verifying.py _has_its_signature": "tests/certificates/test_verifying.py",
    "gamification/at_risk.py _switch": "tests/gamification/test_at_risk.py",
    "gamification/bulk_issuing.py Circle.learners": "tests/gamification/test_bulk_issuing.py",
    "gamification/bulk_issuing.py Circle.owed": "tests/gamification/test_bulk_issuing.py",
    "gamification/catchup.py Run.work_off": "tests/gamification/test_catching_up.py",
    "gamification/resolving.py _unknown": "what it is compared with names the learner",
    "gamification/resolving.py resolve_sharer": "what it is compared with names the learner",
    "notifications/counting.py Counts.by_type": "tests/notifications/test_inbox_pages.py",
    "notifications/inbox_pages.py NotificationPage.find": "tests/notifications/test_inbox_pages.py",
    "notifications/preferring.py decide_policy": "tests/notifications/test_preferences.py",
    "notifications/webhooks/endpoints.py disable": "tests/notifications/test_webhook_disabling.py",
}


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
    assert set(places()) - reaching.keys() == ELSEWHERE.keys()


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
