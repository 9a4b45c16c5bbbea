"""What the tests of notifications may ask for."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from pytest_django import Settings

from notifications.webhooks import connecting
from tests.notifications.receivers import Authority


@pytest.fixture
def loopback(settings: Settings) -> None:
    """Webhooks may go to this machine."""
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loopback: None) -> Iterator[Authority]:
    """One that this machine trusts, for as long as the test runs."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted()))
    connecting.forget_trust()
    yield authority
    connecting.forget_trust()
