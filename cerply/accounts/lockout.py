"""Who guesses the password of somebody is locked out: `django-axes` counts failures by e-mail and client address.

By both together, so that nobody locks the bearer of an address out from elsewhere; that many guess from many addresses
is what the rate limit of ``sign_in_email`` is for.
"""

from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from math import ceil
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.http import HttpRequest

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.errors import RateLimited
from cerply.permissions import ANONYMOUS, Actor
from cerply.throttling import client_address


def email_of(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """``AXES_USERNAME_CALLABLE``: upper and lower case are the same, as where one signs in."""
    return str((credentials or {}).get("username", "")).replace("\0", "").strip().lower()[:254]


def address_of(request: HttpRequest) -> str | None:
    """``AXES_CLIENT_IP_CALLABLE``: of an IPv6 network its first address; None, where it is not known."""
    try:
        return str(ip_address(client_address(request).partition("/")[0]))
    except ValueError:
        return None


def nobody(*args: Any) -> str:
    """``AXES_CLIENT_STR_CALLABLE``: what the library's log lines call who failed."""
    return "somebody"


def refuse_locked(request: HttpRequest, email: str) -> None:
    """To be called when `authenticate` has refused. Raises `RateLimited` where it did so without looking."""
    if getattr(request, "axes_locked_out", False):
        tried = AccessAttempt.objects.filter(
            username=email_of(request, {"username": email}), ip_address=address_of(request)
        )
        latest = tried.aggregate(latest=Max("attempt_time"))["latest"] or clock.now()
        raise RateLimited(ceil((ends_at(latest) - clock.now()).total_seconds()))


def ends_at(latest_failure: datetime) -> datetime:
    ends: datetime = latest_failure + settings.AXES_COOLOFF_TIME
    return ends


def audit_lockout(sender: object, request: HttpRequest, username: str, **kwargs: Any) -> None:
    """The library's ``user_locked_out``, which comes with each try; one of them is the first."""
    if getattr(request, "axes_failures_since_start", None) is None:
        return
    with transaction.atomic():
        record(Event(EventType.LOCKED_OUT, None, metadata={"email": username}), actor=ANONYMOUS.actor)


@transaction.atomic
def lift(attempt: AccessAttempt, *, actor: Actor) -> None:
    """Forgets the failures of this e-mail and client address, with whatever browser."""
    same = AccessAttempt.objects.filter(username=attempt.username, ip_address=attempt.ip_address)
    if same.delete()[0]:
        record(Event(EventType.LOCKOUT_LIFTED, None, metadata={"email": attempt.username}), actor=actor)


def clear_old() -> None:
    """Failures that count no more name people for nothing."""
    AccessAttempt.objects.filter(attempt_time__lt=clock.now() - settings.AXES_COOLOFF_TIME).delete()
