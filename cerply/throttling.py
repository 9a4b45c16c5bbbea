"""Rate limits per caller, client address or e-mail address and class of request.

Each process counts for itself, but the classes in ``settings.SHARED_RATE_CLASSES`` are counted by all together.
"""

import time
from functools import cache
from ipaddress import IPv4Address, IPv6Network, ip_address
from math import ceil
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from limits import RateLimitItem, parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from cerply.errors import RateLimited
from cerply.permissions import ANONYMOUS, Caller

if TYPE_CHECKING:  # it imports this module for its defaults
    from rest_framework.views import APIView


@cache
def _limiter(storage: str) -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(storage_from_string(storage))


@cache
def _limit(text: str) -> RateLimitItem:
    return parse(text)


def spend(rate_class: str, who: str) -> None:
    """Counts one request of theirs. Raises `RateLimited` past the limit of the class."""
    limit = _limit(settings.RATE_LIMITS[rate_class])
    limiter = _limiter(settings.SHARED_COUNTS if rate_class in settings.SHARED_RATE_CLASSES else "memory://")
    if not limiter.hit(limit, rate_class, who):
        window = limiter.get_window_stats(limit, rate_class, who)
        raise RateLimited(ceil(window.reset_time - time.time()))


def spend_for_email(rate_class: str, email: str) -> None:
    """Whoever asks, from wherever, and whether or not somebody bears the address."""
    spend(rate_class, email.strip().lower())


def client_address(request: HttpRequest) -> str:
    """The client's address, as far as the trusted proxies say; of IPv6 the /64, for a client has all of that."""
    text = str(request.META.get("REMOTE_ADDR") or "unknown")
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    proxies: int = settings.TRUSTED_PROXIES
    if proxies and len(forwarded) >= proxies and forwarded[-proxies]:
        text = forwarded[-proxies]
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or IPv6Network((int(address), 64), strict=False))


class ClientThrottle(BaseThrottle):
    """429 with ``Retry-After`` when the caller is past the limit of the route's class."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        caller: Caller = getattr(view, "caller", ANONYMOUS)
        rate_class = getattr(view, "rate_class", "api")
        if rate_class == "api" and not caller.is_anonymous:
            spend(rate_class, str(caller.token_id or caller.key))
        else:  # a credential buys no more guesses
            spend("anonymous" if rate_class == "api" else rate_class, client_address(request._request))
        return True
