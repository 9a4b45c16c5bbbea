"""Every error the API can answer, in one envelope.

The shape, for each of them: ``{"error": {"code", "message", "details"?, "requestId"}}``.
"""

import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from cerply.requests import current_request_id

logger = logging.getLogger(__name__)


class ErrorCode(StrEnum):
    BAD_REQUEST = "BAD_REQUEST"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    CONFLICT = "CONFLICT"
    GONE = "GONE"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    RATE_LIMITED = "RATE_LIMITED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"


CODE_OF_STATUS: dict[int, ErrorCode] = {
    400: ErrorCode.BAD_REQUEST,
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    409: ErrorCode.CONFLICT,
    410: ErrorCode.GONE,
    413: ErrorCode.PAYLOAD_TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    429: ErrorCode.RATE_LIMITED,
    500: ErrorCode.INTERNAL_ERROR,
    503: ErrorCode.SERVICE_UNAVAILABLE,
}


class ApiError(Exception):
    """An answer that ends the request: a status, a sentence for the reader, and what helps her to mend it."""

    status: ClassVar[int] = 500
    message: ClassVar[str] = "Something went wrong on our side."

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.text = message or self.message
        self.details = details
        self.headers = dict(headers or {})
        super().__init__(self.text)


class BadRequest(ApiError):
    status = 400
    message = "The request is not valid."


class Invalid(BadRequest):
    """Fields that are wrong, each with its reasons: ``Invalid({"title": ["This field is required."]})``."""

    def __init__(self, details: Mapping[str, Any], message: str | None = None) -> None:
        super().__init__(message or "Some fields are not valid.", details=details)


class Unauthorized(ApiError):
    status = 401
    message = "Sign in, or send a valid API token."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"WWW-Authenticate": 'Bearer realm="cerply"'})


class Forbidden(ApiError):
    status = 403
    message = "You may not do this."


class NotFound(ApiError):
    status = 404
    message = "There is nothing here."


class MethodNotAllowed(ApiError):
    status = 405

    def __init__(self, method: str, allowed: list[str]) -> None:
        super().__init__(f"{method} is not allowed here.", headers={"Allow": ", ".join(allowed)})


class Conflict(ApiError):
    status = 409
    message = "The request conflicts with what is there."


class Gone(ApiError):
    status = 410
    message = "This is no longer available."


class PayloadTooLarge(ApiError):
    status = 413
    message = "The body is too large."


class UnsupportedMediaType(ApiError):
    status = 415
    message = "Send the body as application/json in UTF-8."


class RateLimited(ApiError):
    status = 429
    message = "Too many requests. Wait before you try again."

    def __init__(self, retry_after: int) -> None:
        super().__init__(headers={"Retry-After": str(max(1, retry_after))})


class ServiceUnavailable(ApiError):
    status = 503
    message = "The service is not available at the moment. Try again soon."


def envelope(code: ErrorCode, message: str, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The body of an error."""
    error: dict[str, Any] = {"code": code, "message": message}
    if details:
        error["details"] = details
    error["requestId"] = current_request_id()
    return {"error": error}


def to_api_error(exc: Exception) -> ApiError | None:
    """What an exception means to the caller; None for one that nobody foresaw."""
    match exc:
        case ApiError():
            return exc
        case exceptions.ValidationError():
            details = exc.detail if isinstance(exc.detail, dict) else {"nonFieldErrors": exc.detail}
            return Invalid(details)
        case exceptions.ParseError():
            return BadRequest(str(exc.detail))
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return Unauthorized()
        case exceptions.PermissionDenied() | PermissionDenied():
            return Forbidden()
        case exceptions.NotFound() | Http404():
            return NotFound()
        case RequestDataTooBig():
            return PayloadTooLarge()
        case SuspiciousOperation():
            return BadRequest()
        case OperationalError() | InterfaceError():
            logger.error("database unavailable: %s", exc)
            return ServiceUnavailable(headers={"Retry-After": "1"})
    return None


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook; what it leaves alone rises to Django and becomes our ``server_error``."""
    error = to_api_error(exc)
    if error is None:
        return None
    body = envelope(CODE_OF_STATUS[error.status], error.text, error.details)
    return Response(body, status=error.status, headers=error.headers)


def error_response(error: ApiError) -> JsonResponse:
    """An error outside of a view: middleware and Django's own handlers."""
    body = envelope(CODE_OF_STATUS[error.status], error.text, error.details)
    response = JsonResponse(body, status=error.status, headers=error.headers)
    response["Cache-Control"] = "no-store"
    return response


def _for_people(request: HttpRequest) -> bool:
    return request.path.startswith("/admin/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    if _for_people(request):
        return defaults.bad_request(request, exception)
    return error_response(to_api_error(exception) or BadRequest())


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    if _for_people(request):
        return defaults.permission_denied(request, exception)
    return error_response(Forbidden())


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    if _for_people(request):
        return defaults.page_not_found(request, exception)
    return error_response(NotFound("There is no such route."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500."""
    if _for_people(request):
        return defaults.server_error(request)
    return error_response(ApiError())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW, for pages; the API checks CSRF where it authenticates."""
    if _for_people(request):
        return defaults.permission_denied(request, PermissionDenied(reason))
    return error_response(Forbidden("The CSRF token is missing or wrong."))
