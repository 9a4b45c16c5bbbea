"""Staff show a code of their authenticator as well; until then their session is nobody's."""

import re
from datetime import timedelta
from functools import partial
from io import StringIO
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import Client
from django_otp.oath import TOTP
from pytest_django import Settings

from audit.models import AuditEvent
from cerply.accounts import second_factor
from cerply.accounts.models import Authenticator, RecoveryCodes, User
from cerply.management.secrets import encrypt_anew
from tests.api.client import Api
from tests.console import action_of, events
from tests.factories import ACTOR, Cast, make_staff
from tests.threads import at_once

PASSWORD = "a long staff password"
PAGE = "/admin/second-factor/"


@pytest.fixture(autouse=True)
def _asked_for(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True


@pytest.fixture
def stina(db: None) -> User:
    return make_staff(name="Stina Staff", email="staff@cerply.example", password=PASSWORD)


def with_password(user: User) -> Client:
    client = Client()
    form = {"username": user.email, "password": PASSWORD}
    assert client.post("/admin/login/?next=/admin/", form).status_code == 302
    return client


def code_of(user: User) -> str:
    """What her app shows now."""
    return f"{TOTP(Authenticator.objects.get(user=user).key).token():06}"


def set_up(user: User) -> tuple[Client, list[str]]:
    """Signed in for the first time; and the recovery codes."""
    client = with_password(user)
    client.get(PAGE)
    page = client.post(PAGE, {"code": code_of(user)})
    assert page.status_code == 200
    return client, re.findall(r"<code>([a-z2-7-]{19})</code>", page.content.decode())


def forget_the_step(user: User) -> None:
    """As if the next code were there: the same one may be shown again."""
    Authenticator.objects.filter(user=user).update(last_step=-1)


def forget_the_waiting() -> None:
    for kind in (Authenticator, RecoveryCodes):
        kind.objects.update(throttling_failure_timestamp=F("throttling_failure_timestamp") - timedelta(days=1))


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def test_the_first_time_it_is_set_up(stina: User) -> None:
    client = with_password(stina)
    assert client.get("/admin/", follow=True).request["PATH_INFO"] == PAGE
    page = client.get(PAGE).content.decode()
    assert second_factor.secret_of(Authenticator.objects.get()) in page
    assert client.post(PAGE, {"code": "000000x"}).status_code == 400
    assert not is_in(client)
    forget_the_waiting()
    answer = client.post(PAGE, {"code": code_of(stina)})
    assert len(re.findall(r"<code>([a-z2-7-]{19})</code>", answer.content.decode())) == 10
    assert "no-store" in answer["Cache-Control"]
    assert is_in(client)
    assert client.get(PAGE).status_code == 302


def test_what_the_qr_code_says_is_what_apps_read(stina: User) -> None:
    device = second_factor.new_authenticator(stina)
    address = urlsplit(second_factor.uri_of(device))
    values = parse_qs(address.query)
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert address.path == "/Cerply%20127.0.0.1%3Astaff%40cerply.example"
    assert values["issuer"] == ["Cerply 127.0.0.1"]
    assert values["secret"] == [second_factor.secret_of(device)]
    assert second_factor.new_authenticator(stina).key == device.key


def test_afterwards_a_code_is_asked_for(stina: User) -> None:
    set_up(stina)
    client = with_password(stina)
    assert not is_in(client)
    page = client.get(f"{PAGE}?next=/admin/accounts/user/").content.decode()
    assert second_factor.secret_of(Authenticator.objects.get()) not in page
    assert client.post(PAGE, {"code": code_of(stina)}).status_code == 400, "it was used already"
    forget_the_waiting()
    forget_the_step(stina)
    before = client.session.session_key
    answer = client.post(PAGE, {"code": code_of(stina), "next": "/admin/accounts/user/"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/accounts/user/")
    assert client.session.session_key != before
    assert is_in(client)


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_from_there_one_goes_nowhere_else(stina: User, address: str) -> None:
    _, [code, *_] = set_up(stina)
    assert with_password(stina).post(PAGE, {"code": code, "next": address})["Location"] == "/admin/"


def test_until_then_the_session_is_nobody_s(stina: User, cast: Cast) -> None:
    client = with_password(stina)
    for path in ("/api/auth/me", "/api/learners", f"/api/learners/{cast.learner.id}/levels"):
        assert client.get(path).status_code == 401
    for path in ("/admin/", "/admin/accounts/user/", "/admin/password_change/", "/inbox"):
        assert client.get(path).status_code == 302
    assert client.get("/sign-in").status_code == 200
    client, _ = set_up(make_staff(email="other@cerply.example", password=PASSWORD))
    assert client.get("/api/auth/me").json()["staff"] is True
    assert client.get("/api/learners").status_code == 200


def test_elsewhere_staff_do_not_sign_in(api: Api, stina: User) -> None:
    answer = api.post("/auth/login", {"email": stina.email, "password": PASSWORD})
    assert (answer.status, "sessionid" in api.client.cookies) == (403, False)
    page = Client().post("/sign-in", {"email": stina.email, "password": PASSWORD})
    assert (page.status_code, page["Location"]) == (303, "/admin/login/?next=%2Finbox")


def test_a_recovery_code_lets_in_once(stina: User) -> None:
    _, [first, second, *_] = set_up(stina)
    client = with_password(stina)
    assert client.post(PAGE, {"code": f" {first.upper()} "}).status_code == 302
    assert is_in(client)
    again = with_password(stina)
    assert again.post(PAGE, {"code": first}).status_code == 400
    forget_the_waiting()
    assert again.post(PAGE, {"code": second}).status_code == 302
    assert [event.metadata for event in events("second_factor_shown")] == [
        {"recoveryCodesLeft": 9},
        {"recoveryCodesLeft": 8},
    ]


def test_after_a_wrong_code_one_waits(stina: User) -> None:
    set_up(stina)
    forget_the_step(stina)
    client = with_password(stina)
    assert client.post(PAGE, {"code": "000000"}).status_code in {400}
    answer = client.post(PAGE, {"code": code_of(stina)})
    assert (answer.status_code, answer["Retry-After"]) == (429, "1")
    assert not is_in(client)
    assert len(events("second_factor_failed")) == 1


@pytest.mark.parametrize("code", ["", "1", "abc", "٣" * 6, "0" * 500, "12 34 5x", "\0"])
def test_odd_codes_are_wrong(stina: User, code: str) -> None:
    set_up(stina)
    assert with_password(stina).post(PAGE, {"code": code}).status_code == 400


def test_members_and_strangers_see_nothing_of_it(cast: Cast) -> None:
    client = Client()
    assert client.get(PAGE)["Location"] == "/admin/login/"
    client.force_login(cast.admin)
    assert client.get(PAGE)["Location"] == "/admin/login/"
    assert client.get("/api/auth/me").status_code == 200
    assert not Authenticator.objects.exists()


def test_one_may_leave(stina: User) -> None:
    client = with_password(stina)
    assert client.post(PAGE, {"leave": "1"})["Location"] == "/admin/login/"
    assert "_auth_user_id" not in client.session


def test_superusers_take_it_away_and_that_ends_her_sessions(stina: User) -> None:
    chief, _ = set_up(make_staff(email="chief@cerply.example", password=PASSWORD))
    client, _ = set_up(stina)
    assert chief.post(action_of(stina, "reset-authenticator"), {}).status_code == 302
    assert not is_in(client)
    assert not RecoveryCodes.objects.filter(user=stina).exists()
    assert [event.subject_id for event in events("authenticator_removed")] == [stina.id]
    set_up(stina)


def test_other_staff_do_not_take_it_away(stina: User) -> None:
    User.objects.filter(id=stina.id).update(is_superuser=False)
    chief = make_staff(email="chief@cerply.example", password=PASSWORD)
    set_up(chief)
    client, _ = set_up(stina)
    answer = client.post(action_of(chief, "reset-authenticator"), {})
    assert "Superusers alone" in answer.content.decode()
    assert second_factor.has_authenticator(chief)


def test_the_operator_s_command(stina: User) -> None:
    client, _ = set_up(stina)
    out = StringIO()
    call_command("reset_authenticator", stina.email.upper(), stdout=out)
    assert "sets up another authenticator" in out.getvalue()
    assert not is_in(client)
    for email in (stina.email, "nobody@cerply.example"):
        with pytest.raises(CommandError):
            call_command("reset_authenticator", email)


def test_neither_key_nor_codes_are_in_the_database(stina: User, settings: Settings) -> None:
    _, codes = set_up(stina)
    device, sheet = Authenticator.objects.get(), RecoveryCodes.objects.get()
    assert device.key not in bytes(device.sealed_key)
    assert not set(codes) & set(sheet.digests)
    key = device.key
    settings.KEY_ENCRYPTION_KEYS = [b"n" * 32, *settings.KEY_ENCRYPTION_KEYS]
    encrypt_anew(actor=ACTOR)
    settings.KEY_ENCRYPTION_KEYS = settings.KEY_ENCRYPTION_KEYS[:1]
    assert Authenticator.objects.get().key == key


def test_sessions_of_staff_are_short(stina: User, settings: Settings) -> None:
    assert with_password(stina).session.get_expiry_age() <= settings.STAFF_SESSION_AGE


@pytest.mark.django_db(transaction=True)
def test_one_code_lets_one_in_of_many_at_once() -> None:
    stina = make_staff(email="staff@cerply.example", password=PASSWORD)
    _, [recovery, *_] = set_up(stina)
    forget_the_step(stina)
    for code in (code_of(stina), recovery):
        clients = [with_password(stina) for _ in range(6)]
        answers = at_once([partial(client.post, PAGE, {"code": code}) for client in clients])
        assert [answer.status_code for answer in answers].count(302) == 1
        forget_the_waiting()
    assert AuditEvent.objects.filter(type="second_factor_shown").count() == 2
