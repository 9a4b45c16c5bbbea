"""What every test may ask for."""

from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pytest_django import Settings

from cerply import throttling
from tests.api.client import Api
from tests.factories import Cast, make_cast, make_staff


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """The test database may be emptied of audit events, which any other refuses."""
    django_settings.DATABASES["default"]["OPTIONS"]["options"] = "-c audit.may_be_emptied=on"


@pytest.fixture(autouse=True)
def _own_files(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees another one's files."""
    settings.MEDIA_ROOT = tmp_path_factory.mktemp("media")


@pytest.fixture(autouse=True)
def _counted_from_nothing() -> None:
    """No test is limited for what another one asked."""
    throttling._limiter.cache_clear()


@pytest.fixture
def api(db: None) -> Api:
    """Calls the API, and holds each answer against the OpenAPI document."""
    return Api()


@pytest.fixture
def console(db: None) -> Client:
    """A browser in which a superuser of the staff is signed in to the admin."""
    client = Client()
    client.force_login(make_staff(name="Stina Staff", email="staff@cerply.example", password="a long staff password"))
    return client


@pytest.fixture
def cast(db: None) -> Cast:
    """An organization with a learner, her manager, a colleague, an admin and an auditor; and an outsider's."""
    return make_cast()


@pytest.fixture
def media(settings: Settings) -> Path:
    """Where files are stored."""
    return Path(settings.MEDIA_ROOT)
