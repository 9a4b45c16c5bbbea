"""Staff sign in with a password and a code of their authenticator (TOTP, RFC 6238).

A session whose password was right is nobody's until its code was: neither the admin nor the API takes it. The first
time the authenticator is set up, and ten recovery codes are shown that stand in for it.
"""

import base64
import secrets
from collections.abc import Iterator
from functools import partial
from math import ceil
from urllib.parse import quote, urlencode

import django_otp
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.http import HttpRequest

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.accounts import people
from cerply.accounts.models import Authenticator, RecoveryCodes, User
from cerply.accounts.models.authenticators import DIGITS, STEP, Factor, FactorQuerySet
from cerply.encryption import Secret
from cerply.errors import BadRequest, RateLimited
from cerply.permissions import Actor

KEY_LENGTH = 20
RECOVERY_CODES = 10
WRONG = "The code is wrong, or was used already."


def is_owed(request: HttpRequest) -> bool:
    """Whether the session is somebody's who has still to show a code. `OTPMiddleware` knows who has."""
    user: AbstractBaseUser | AnonymousUser = request.user
    asked = settings.STAFF_SECOND_FACTOR and isinstance(user, User) and user.is_staff
    return bool(asked) and getattr(user, "otp_device", None) is None


def has_authenticator(user: User) -> bool:
    return Authenticator.objects.of(user, confirmed=True).exists()


@transaction.atomic
def new_authenticator(user: User) -> Authenticator:
    """The one that is to be confirmed: the same each time, so that a page that is loaded again spoils nothing."""
    User.objects.select_for_update(no_key=True).get(id=user.id)
    pending = Authenticator.objects.filter(user=user).first()
    if pending is None:
        pending = Authenticator(user=user, name="Authenticator", confirmed=False)
        pending.key = secrets.token_bytes(KEY_LENGTH)
        pending.save()
    return pending


def secret_of(authenticator: Authenticator) -> str:
    """As it is typed by hand: base32."""
    return base64.b32encode(authenticator.key).decode()


def uri_of(authenticator: Authenticator) -> str:
    """``otpauth://totp/…``, as apps read it from a QR code (Google Authenticator's key URI format)."""
    issuer = f"Cerply {settings.PUBLIC_HOST}"
    label = quote(f"{issuer}:{authenticator.user.email}", safe="")
    values = {"secret": secret_of(authenticator), "issuer": issuer, "digits": DIGITS, "period": STEP}
    return f"otpauth://totp/{label}?{urlencode(values, quote_via=quote)}"


def confirm(request: HttpRequest, user: User, code: str) -> list[str]:
    """The first right code makes the authenticator count. Returns the recovery codes, which nobody can show again.

    Raises `BadRequest` for a wrong code, or `RateLimited`.
    """
    waiting = Authenticator.objects.of(user, confirmed=False)
    device = _passed(user, waiting, code)
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        if not waiting.filter(pk=device.pk).update(confirmed=True):
            raise BadRequest("The authenticator has been set up meanwhile. Sign in again.")
        device.confirmed = True
        digests = [RecoveryCodes.digest(one) for one in codes]
        RecoveryCodes.objects.update_or_create(user=user, defaults={"name": "Recovery codes", "digests": digests})
        record(Event(EventType.AUTHENTICATOR_ADDED, None, "user", user.id), actor=user.caller().actor)
    _let_in(request, device)
    return codes


def show(request: HttpRequest, user: User, code: str) -> None:
    """A code of the authenticator, or one of the recovery codes. Raises `BadRequest`, or `RateLimited`."""
    code = code.strip()
    kind: type[Factor] = Authenticator if code.replace(" ", "").isdigit() else RecoveryCodes
    device = _passed(user, kind.objects.of(user, confirmed=True), code)
    metadata = {"recoveryCodesLeft": len(device.digests)} if isinstance(device, RecoveryCodes) else {}
    with transaction.atomic():
        record(Event(EventType.SECOND_FACTOR_SHOWN, None, "user", user.id, metadata), actor=user.caller().actor)
    _let_in(request, device)


@transaction.atomic
def take_away(user: User, *, actor: Actor) -> bool:
    """Ends her sessions; the next time she sets up another one. Whether she had one."""
    User.objects.select_for_update(no_key=True).get(id=user.id)
    RecoveryCodes.objects.filter(user=user).delete()
    if not Authenticator.objects.filter(user=user).delete()[0]:
        return False
    people.end_sessions(user)
    record(Event(EventType.AUTHENTICATOR_REMOVED, None, "user", user.id), actor=actor)
    return True


def sealed_keys() -> Iterator[Secret]:
    for device in Authenticator.objects.order_by("pk"):
        sealed = bytes(device.sealed_key)
        row = Authenticator.objects.filter(pk=device.pk, sealed_key=sealed)
        yield Secret(sealed, device.bound_to, str(device), partial(_replace, row))


def _replace(row: FactorQuerySet, sealed: bytes) -> int:
    return row.update(sealed_key=sealed)


def _passed(user: User, devices: FactorQuerySet, code: str) -> Factor:
    with transaction.atomic():
        device: Factor | None = devices.select_for_update().first()
        wait = _seconds_to_wait(device) if device else 0
        if wait:
            raise RateLimited(wait)
        passed = device is not None and device.verify_token(code.replace(" ", ""))
        if not passed:
            record(Event(EventType.SECOND_FACTOR_FAILED, None, "user", user.id), actor=user.caller().actor)
    if device is None or not passed:
        raise BadRequest(WRONG)
    return device


def _seconds_to_wait(device: Factor) -> int:
    allowed, why = device.verify_is_allowed()
    return 0 if allowed else max(1, ceil((why["locked_until"] - clock.now()).total_seconds()))


def _let_in(request: HttpRequest, device: Factor) -> None:
    django_otp.login(request, device)
    # The session of before may be known to somebody.
    request.session.cycle_key()


def _recovery_code() -> str:
    letters = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
