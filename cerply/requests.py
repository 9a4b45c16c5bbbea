"""What is known about the request being answered, for everything that it causes."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.middleware.csp import ContentSecurityPolicyMiddleware
from django.utils.csp import CSP, build_policy

# Methods that change something.
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


@dataclass(slots=True)
class Doing:
    """A request (or a job, or a command) that is running, and what is learnt of it on the way."""

    request_id: str = ""
    # Its template, which names nobody: ``/api/learners/{learner_id}/badges``; or ``job:fold_kpis``.
    route: str = ""
    user_id: UUID | None = None
    organization_id: UUID | None = None
    queries: int = 0
    database_seconds: float = 0.0


_doing: ContextVar[Doing] = ContextVar("doing")


def current() -> Doing:
    """What is running; outside of everything, something that is forgotten at once."""
    return _doing.get(None) or Doing()


def current_request_id() -> str:
    """The id of the request (or of the job or command) that is running; empty outside of one."""
    return current().request_id


@contextmanager
def request_id(value: str, route: str = "") -> Iterator[Doing]:
    """Everything inside is logged and audited under this id."""
    doing = Doing(value, route or current().route)
    token = _doing.set(doing)
    try:
        yield doing
    finally:
        _doing.reset(token)


class RequestIdMiddleware:
    """Takes over the caller's ``X-Request-ID`` where it is well-formed, else makes one, and echoes it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.image_headers = {
            "X-Image-Revision": settings.IMAGE_REVISION,
            "X-Image-Created": settings.IMAGE_CREATED,
            "X-Image-Tag": settings.IMAGE_TAG,
        }

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        value = given if VALID_REQUEST_ID.fullmatch(given) else str(uuid4())
        with request_id(value):
            response = self.get_response(request)
        response["X-Request-ID"] = value
        if response.status_code == 304:
            # It would be the length of a 200 (RFC 9110, 8.6), which nobody has counted.
            del response["Content-Length"]
        for name, text in self.image_headers.items():
            response[name] = text
        return response


class ProbeMiddleware:
    """Health and metrics are asked by address: who probes a process does not know the name by which people reach it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(("/api/health", "/metrics")):
            request.META["HTTP_HOST"] = settings.PUBLIC_HOST
        return self.get_response(request)


class NulMiddleware:
    """400 for a page of the admin asked for with NUL, which no database takes. The API names the field itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/admin/"):
            values = [value for values in request.GET.lists() for value in (values[0], *values[1])]
            if any("\0" in text for text in (request.path, *values)):
                raise SuspiciousOperation("NUL in the address.")
        return self.get_response(request)


class PolicyMiddleware(ContentSecurityPolicyMiddleware):
    """What a page may load, run and ask the browser for: as good as nothing, but in the admin its own files."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response.headers.setdefault("Permissions-Policy", settings.PERMISSIONS_POLICY)
        # The middleware for it comes after ours, and not to what is answered before.
        response.headers.setdefault("X-Frame-Options", settings.X_FRAME_OPTIONS)
        if request.path.startswith("/admin/") and not hasattr(response, "_csp_config"):
            response.headers.setdefault(CSP.HEADER_ENFORCE, build_policy(settings.ADMIN_CSP))
        return super().process_response(request, response)
