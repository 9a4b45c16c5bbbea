"""What `check --deploy` says that Django does not."""

from typing import Any

import pytest
from django.core.checks import Tags, run_checks
from pytest_django import Settings

from cerply.accounts.models import Organization
from cerply.management.demo_data.people import demo_id
from tests.factories import make_organization


def said() -> set[str]:
    checks = run_checks(tags=[Tags.security], include_deployment_checks=True)
    return {str(check.id) for check in checks if str(check.id).startswith("cerply.")}


@pytest.fixture(autouse=True)
def _nothing_left(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["cerply.example"]
    settings.DEBUG = False


def test_nothing_is_said_where_nothing_was_left() -> None:
    assert said() == set()


@pytest.mark.parametrize(
    ("id_", "name", "value"),
    [
        ("cerply.W001", "ADMIN_TOKEN_IS_IGNORED", True),
        ("cerply.W002", "ALLOWED_HOSTS", ["cerply.example", "*"]),
        ("cerply.W003", "SECRET_KEY_FALLBACKS", ["a-secret-of-before"]),
        ("cerply.W004", "KEY_ENCRYPTION_KEYS", [b"n" * 32, b"o" * 32]),
        ("cerply.W005", "PERSIST_AUDIT_EVENTS", False),
        ("cerply.W006", "DEBUG", True),
    ],
)
def test_what_was_left_is_said(settings: Settings, id_: str, name: str, value: Any) -> None:
    setattr(settings, name, value)
    assert said() == {id_}


def test_the_demo_s_data_are_an_error_where_anybody_could_use_them(db: None, settings: Settings) -> None:
    def errors() -> list[Any]:
        return [each.id for each in run_checks(tags=[Tags.database], databases=["default"]) if each.is_serious()]

    settings.RELAXED = False
    make_organization()
    assert errors() == []
    Organization.objects.create(id=demo_id("a1"), name="Demo")
    assert errors() == ["cerply.E001"]
    settings.RELAXED = True
    assert errors() == []
