"""What every test may ask for."""

from pathlib import Path

import pytest
from pytest_django import Settings

from tests.api.client import Api
from tests.factories import Cast, make_cast


@pytest.fixture(autouse=True)
def _own_files(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees another one's files."""
    settings.MEDIA_ROOT = tmp_path_factory.mktemp("media")


@pytest.fixture
def api(db: None) -> Api:
    """Calls the API, and holds each answer against the OpenAPI document."""
    return Api()


@pytest.fixture
def cast(db: None) -> Cast:
    """An organization with a learner, her manager, a colleague, an admin and an auditor; and an outsider's."""
    return make_cast()


@pytest.fixture
def media(settings: Settings) -> Path:
    """Where files are stored."""
    return Path(settings.MEDIA_ROOT)
