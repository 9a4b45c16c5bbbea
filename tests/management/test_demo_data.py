"""What is loaded for the demo."""

import pytest

from cerply.management.demo_data.loading import load
from certificates.models import Certificate
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
