"""Features are switched and organizations come and go at the same time, and the share stays exact."""

from functools import partial
from uuid import UUID, uuid4

import pytest

from audit.models import AuditEvent
from ops import features
from ops.features import Feature
from ops.models import FeatureEnrolment
from tests.factories import ACTOR
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

FEATURE = Feature.CERTIFICATES


def chosen() -> set[UUID]:
    return set(
        FeatureEnrolment.objects.filter(feature=FEATURE, in_rollout=True).values_list("organization_id", flat=True)
    )


def test_organizations_that_join_at_once_keep_the_share_exact() -> None:
    features.set_rollout(FEATURE, 25, actor=ACTOR, reason="Slowly.")
    at_once([partial(features.enrol, uuid4()) for _ in range(16)])
    assert FeatureEnrolment.objects.filter(feature=FEATURE).count() == 16
    assert len(chosen()) == 4


def test_leaving_joining_and_raising_at_once_keep_it_too() -> None:
    organizations = [uuid4() for _ in range(16)]
    for organization in organizations:
        features.enrol(organization)
    features.set_rollout(FEATURE, 50, actor=ACTOR, reason="Slowly.")
    at_once(
        [
            *[partial(features.enrol, uuid4()) for _ in range(6)],
            *[partial(features.withdraw, organization) for organization in organizations[:2]],
            *[
                partial(features.set_pilot, FEATURE, organization, True, actor=ACTOR, reason="A friend.")
                for organization in organizations[2:4]
            ],
            partial(features.set_rollout, FEATURE, 75, actor=ACTOR, reason="Faster."),
        ]
    )
    candidates = FeatureEnrolment.objects.candidates(FEATURE).count()
    assert candidates == 18
    assert len(chosen()) == 14
    for enrolment in FeatureEnrolment.objects.all():
        decision = features.decide(Feature(enrolment.feature), enrolment.organization_id)
        assert enrolment.effective == decision.on


def test_the_same_switch_by_many_is_one_change() -> None:
    organization = uuid4()
    features.enrol(organization)
    switch = partial(features.set_toggle, FEATURE, organization, actor=ACTOR, reason="Now.")
    at_once([partial(switch, False) for _ in range(8)])
    at_once([partial(switch, True) for _ in range(8)])
    assert AuditEvent.objects.filter(type="feature_switched").count() == 2


def test_the_environment_is_noticed_once_by_many_workers() -> None:
    organizations = [uuid4() for _ in range(5)]
    for organization in organizations:
        features.enrol(organization)
    FeatureEnrolment.objects.update(effective=False)
    at_once([features.notice_changes for _ in range(8)])
    switched = AuditEvent.objects.filter(type="feature_switched", metadata__feature=FEATURE)
    assert set(switched.values_list("organization_id", flat=True)) == set(organizations)
    assert switched.count() == 5
