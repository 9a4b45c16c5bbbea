"""Rate limits per caller or address and class of route, counted in this process."""

import time
from functools import cache
from math import ceil
from typing import TYPE_CHECKING

from django.conf import settings
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from cerply.errors import RateLimited
from cerply.permissions import ANONYMOUS, Caller

if TYPE_CHECKING:  # it imports this module for its defaults
    from rest_framework.views import APIView


@cache
def _limiter() -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(MemoryStorage())


@cache
def _limit(text: str) -> RateLimitItem:
    return parse(text)


def client_address(request: Request) -> str:
    """The client's address, as far as the trusted proxies say."""
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    proxies: int = settings.TRUSTED_PROXIES
    if proxies and len(forwarded) >= proxies and forwarded[-proxies]:
        return forwarded[-proxies]
    return str(request.META.get("REMOTE_ADDR") or "unknown")


class ClientThrottle(BaseThrottle):
    """429 with ``Retry-After`` when the caller is past the limit of the route's class."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        caller: Caller = getattr(view, "caller", ANONYMOUS)
        rate_class = getattr(view, "rate_class", "api")
        if rate_class == "api" and caller.is_anonymous:
            rate_class = "anonymous"
        limit = _limit(settings.RATE_LIMITS[rate_class])
        who = str(caller.token_id or caller.key) if not caller.is_anonymous else client_address(request)
        if not _limiter().hit(limit, rate_class, who):
            window = _limiter().get_window_stats(limit, rate_class, who)
            raise RateLimited(ceil(window.reset_time - time.time()))
        return True
