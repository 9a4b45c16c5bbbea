"""Who guesses a password is locked out, her bearer elsewhere is not, and staff can let her in again."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import settings as django_settings
from django.db.models import F
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from audit.models import AuditEvent
from cerply.accounts import signing_in
from cerply.accounts.models import FailedSignIn
from tests.api.client import Answer, Api
from tests.console import events, page_of
from tests.factories import Cast, make_staff, make_user
from tests.threads import at_once

PASSWORD, WRONG = "correct horse battery", "wrong"
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
MOST = 3


@pytest.fixture(autouse=True)
def _few(settings: Settings) -> None:
    settings.AXES_FAILURE_LIMIT = MOST
    settings.TRUSTED_PROXIES = 1


@pytest.fixture
def maya(cast: Cast) -> Any:
    cast.learner.set_password(PASSWORD)
    cast.learner.save()
    return cast.learner


def login(email: str, password: str = WRONG, address: str = HERE) -> Answer:
    return Api().post("/auth/login", {"email": email, "password": password}, x_forwarded_for=address)


def lock_out(email: str, address: str = HERE) -> None:
    for _ in range(MOST):
        answer = login(email, address=address)
    assert answer.status == 429


def let_time_pass() -> None:
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - django_settings.AXES_COOLOFF_TIME)


def test_who_fails_too_often_is_locked_out_even_with_the_password(maya: Any) -> None:
    assert [login(maya.email).status for _ in range(MOST)] == [401] * (MOST - 1) + [429]
    answer = login(maya.email.upper(), PASSWORD)
    assert (answer.status, answer.code) == (429, "RATE_LIMITED")
    assert 0 < int(answer.headers["Retry-After"]) <= 900


def test_the_bearer_elsewhere_and_others_from_here_are_not(cast: Cast, maya: Any) -> None:
    other = make_user(cast.organization, password=PASSWORD)
    lock_out(maya.email)
    assert login(maya.email, PASSWORD, ELSEWHERE).status == 200
    assert login(other.email, PASSWORD).status == 200
    assert login(maya.email, PASSWORD).status == 429


def test_an_unknown_address_is_locked_out_alike(db: None) -> None:
    lock_out("nobody@example.com")


def test_trying_on_does_not_make_it_longer(maya: Any) -> None:
    lock_out(maya.email)
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=10))
    answer = login(maya.email)
    assert (answer.status, int(answer.headers["Retry-After"]) <= 300) == (429, True)
    let_time_pass()
    assert login(maya.email, PASSWORD).status == 200


def test_other_browsers_of_the_same_client_count_together(maya: Any) -> None:
    for browser in ("a", "b", "c"):
        answer = Api().post(
            "/auth/login", {"email": maya.email, "password": "no"}, x_forwarded_for=HERE, user_agent=browser
        )
    assert answer.status == 429


def test_the_pages_say_so_too(maya: Any) -> None:
    lock_out(maya.email)
    form = {"email": maya.email, "password": PASSWORD}
    answer = Client(headers={"X-Forwarded-For": HERE}).post("/sign-in", form)
    assert (answer.status_code, int(answer["Retry-After"]) > 0) == (429, True)
    staff = make_staff(email="staff@cerply.example", password=PASSWORD)
    client = Client(headers={"X-Forwarded-For": HERE})
    form = {"username": staff.email, "password": "wrong"}
    assert [client.post("/admin/login/", form).status_code for _ in range(MOST)] == [200] * (MOST - 1) + [429]
    answer = client.post("/admin/login/", form | {"password": PASSWORD})
    assert (answer.status_code, "Too many tries" in answer.content.decode()) == (429, True)


@pytest.mark.parametrize("address", ["2001:db8::1", "unknown", "", "no address"])
def test_whatever_the_client_s_address_looks_like(maya: Any, address: str) -> None:
    lock_out(maya.email, address)


def test_the_first_time_is_audited_and_the_lifting_of_it(console: Client, maya: Any) -> None:
    lock_out(maya.email)
    login(maya.email)
    assert [event.metadata for event in events("locked_out")] == [{"email": maya.email}]
    row = FailedSignIn.objects.get()
    assert "locked out until" in console.get(page_of(FailedSignIn, "changelist")).content.decode()
    url = reverse("admin:accounts_failedsignin_lift", args=[row.pk])
    assert console.post(url, {}).status_code == 302
    assert [event.metadata for event in events("lockout_lifted")] == [{"email": maya.email}]
    assert login(maya.email, PASSWORD).status == 200


def test_failures_are_forgotten_when_they_count_no_more(maya: Any) -> None:
    lock_out(maya.email)
    signing_in.clear_sessions()
    assert FailedSignIn.objects.exists()
    let_time_pass()
    signing_in.clear_sessions()
    assert not FailedSignIn.objects.exists()


def test_neither_the_log_nor_the_row_keeps_more_than_it_needs(maya: Any, caplog: pytest.LogCaptureFixture) -> None:
    lock_out(maya.email)
    assert maya.email not in caplog.text
    assert HERE not in caplog.text
    form = {"username": "staff@cerply.example", "password": "a-secret-that-was-typed", "next": "/secret"}
    Client().post("/admin/login/?next=/admin/secret", form)
    row = FailedSignIn.objects.get(username="staff@cerply.example")
    assert "secret" not in f"{row.get_data}{row.post_data}"


@pytest.mark.django_db(transaction=True)
def test_failures_at_once_all_count() -> None:
    assert {answer.status for answer in at_once([lambda: login("x@example.com")] * 8)} <= {401, 429}
    assert FailedSignIn.objects.get().failures_since_start >= MOST
    assert login("x@example.com").status == 429
    assert AuditEvent.objects.filter(type="locked_out").exists()
