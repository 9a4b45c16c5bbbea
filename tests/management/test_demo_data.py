"""What is loaded for the demo."""

import pytest

from cerply.management.demo_data.loading import load
from cerply.management.demo_data.people import demo_id
from certificates.models import Certificate
from gamification.models import AtRiskEpisode, AtRiskReason
from notifications.models import Delivery, ManagerNotification


@pytest.mark.slow
def test_its_past_is_past_and_loading_it_again_changes_nothing(db: None) -> None:
    load()
    told = ManagerNotification.objects.count()
    assert told
    assert Delivery.objects.filter(state="sent").count() == told
    assert not Certificate.objects.filter(pdf="", revoked_at=None).exists()
    assert load() == "The demo data are there."
    assert ManagerNotification.objects.count() == told


@pytest.mark.slow
def test_it_has_learners_at_risk_and_some_who_have_recovered(db: None) -> None:
    load()
    for organization in ("a1", "b1"):
        present = AtRiskEpisode.objects.present().for_organization(demo_id(organization))
        assert set(present.values_list("reason", flat=True)) == set(AtRiskReason)
    assert AtRiskEpisode.objects.exclude(ended_at=None).exists()
    told = ManagerNotification.objects.filter(type="at_risk", manager=demo_id("2"))
    assert {row.is_read for row in told} == {True, False}
