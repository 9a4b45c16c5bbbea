"""What the tests of notifications may ask for."""

from ipaddress import ip_network

import pytest
from pytest_django import Settings


@pytest.fixture
def loopback(settings: Settings) -> None:
    """Webhooks may go to this machine."""
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
