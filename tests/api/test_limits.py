"""How often one may ask: by whom, and from where."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from tests.api.client import Answer, Api
from tests.factories import Cast, make_staff, make_token

PASSWORD = "correct horse battery"
MOST = 3
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture(autouse=True)
def _few(settings: Settings) -> None:
    """A few a minute of each class, counted from nothing; addresses are those that the one proxy names."""
    settings.RATE_LIMITS = dict.fromkeys(settings.RATE_LIMITS, f"{MOST}/minute")
    settings.TRUSTED_PROXIES = 1


def statuses(ask: Callable[..., Answer], times: int = MOST + 1, **headers: str) -> list[int]:
    answers = [ask(**{"x_forwarded_for": HERE, **headers}) for _ in range(times)]
    for answer in answers:
        if answer.status == 429:
            assert answer.code == "RATE_LIMITED"
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
    return [answer.status for answer in answers]


def login(api: Api, email: str | None = None, **options: Any) -> Callable[..., Answer]:
    """Each time with another address, unless one is given."""

    def ask(**headers: str) -> Answer:
        body = {"email": email or f"{uuid4()}@example.com", "password": "wrong"}
        return api.post("/auth/login", body, **options, **headers)

    return ask


def link(api: Api, email: str | None = None) -> Callable[..., Answer]:
    def ask(**headers: str) -> Answer:
        return api.post("/auth/password-link", {"email": email or f"{uuid4()}@example.com"}, **headers)

    return ask


def get(api: Api, path: str, by: Any = None) -> Callable[..., Answer]:
    def ask(**headers: str) -> Answer:
        return api.get(path, by=by, **headers)

    return ask


def test_signed_in_one_is_counted_by_token(api: Api, cast: Cast) -> None:
    first, second = (make_token(cast.learner) for _ in range(2))
    assert statuses(get(api, "/auth/me", first)) == [200] * MOST + [429]
    assert statuses(get(api, "/auth/me", second), 1) == [200]


def test_nobody_is_counted_by_address(api: Api, cast: Cast) -> None:
    assert statuses(get(api, "/flags")) == [200] * MOST + [429]
    assert statuses(get(api, "/flags"), 1, x_forwarded_for=ELSEWHERE) == [200]
    assert statuses(get(api, "/auth/me", cast.learner), 1) == [200]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"x_admin_token": "wrong"}], ids=str)
def test_what_ends_in_401_is_counted_too(api: Api, cast: Cast, headers: dict[str, str]) -> None:
    assert statuses(get(api, "/auth/me"), MOST + 1, **headers) == [401] * MOST + [429]
    assert statuses(get(api, "/auth/me"), 1, x_forwarded_for=ELSEWHERE, **headers) == [401]


@pytest.mark.parametrize("ask", [login, link])
def test_sign_in_is_counted_by_address(api: Api, cast: Cast, ask: Callable[[Api], Callable[..., Answer]]) -> None:
    expected = 401 if ask is login else 202
    assert statuses(ask(api)) == [expected] * MOST + [429]
    assert statuses(ask(api), 1, x_forwarded_for=ELSEWHERE) == [expected]


def test_tokens_buy_no_guesses(api: Api, cast: Cast) -> None:
    answers = [login(api, by=make_token(cast.learner))(x_forwarded_for=HERE).status for _ in range(MOST + 1)]
    assert answers == [401] * MOST + [429]
    path = f"/certificates/{uuid4()}/verify?signature=x"
    answers = [get(api, path, make_token(cast.learner))(x_forwarded_for=HERE).status for _ in range(MOST + 1)]
    assert answers == [404] * MOST + [429]


@pytest.mark.parametrize("ask", [login, link])
def test_one_e_mail_address_is_counted_from_wherever(
    api: Api, cast: Cast, ask: Callable[..., Callable[..., Answer]]
) -> None:
    expected = 401 if ask is login else 202
    spellings = [cast.learner.email, cast.learner.email.upper(), f" {cast.learner.email}", cast.learner.email]
    tried = [
        ask(api, email)(x_forwarded_for=f"192.0.2.{number}").status for number, email in enumerate(spellings, start=1)
    ]
    assert tried == [expected] * MOST + [429]
    assert ask(api, cast.colleague.email)(x_forwarded_for=HERE).status == expected


def test_of_ipv6_a_network_is_one_address(api: Api, cast: Cast) -> None:
    same = [login(api)(x_forwarded_for=f"2001:db8:0:1::{number}").status for number in range(MOST + 1)]
    assert same == [401] * MOST + [429]
    assert login(api)(x_forwarded_for="2001:db8:0:2::1").status == 401
    assert login(api)(x_forwarded_for="::ffff:192.0.2.1").status == 401
    assert statuses(login(api), MOST) == [401] * (MOST - 1) + [429]


def test_the_admin_s_sign_in_has_the_same_limit(cast: Cast) -> None:
    staff = make_staff(email="staff@cerply.example", password=PASSWORD)

    def sign_in(email: str, address: str) -> Any:
        form = {"username": email, "password": "wrong"}
        return Client().post("/admin/login/", form, headers={"X-Forwarded-For": address})

    answers = [sign_in(f"{number}@example.com", HERE) for number in range(MOST + 1)]
    assert [answer.status_code for answer in answers] == [200] * MOST + [429]
    assert int(answers[-1]["Retry-After"]) >= 1
    assert "Too many tries. Wait" in answers[-1].content.decode()
    assert login(Api())(x_forwarded_for=HERE).status == 429
    form = {"username": staff.email, "password": PASSWORD}
    client = Client(headers={"X-Forwarded-For": ELSEWHERE})
    assert client.post("/admin/login/?next=/admin/", form).status_code == 302
    assert client.get("/admin/").status_code == 200
    answers = [sign_in(staff.email, f"192.0.2.{number}") for number in range(10, 10 + MOST)]
    assert [answer.status_code for answer in answers] == [200] * (MOST - 1) + [429]
