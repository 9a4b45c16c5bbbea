"""What every operation of the OpenAPI document has in common, so that no view repeats it."""

from typing import Any, Literal, cast

from django.conf import settings
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from cerply.errors import CODE_OF_STATUS, ErrorCode
from cerply.pagination import DEFAULT_LIMIT, LARGEST_OFFSET
from cerply.requests import WRITES
from cerply.views import ApiView

PAGE_PARAMETERS = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "default": DEFAULT_LIMIT},
        description="How many rows at most; above 200 it is 200.",
    ),
    OpenApiParameter(
        "offset",
        {"type": "integer", "minimum": 0, "maximum": LARGEST_OFFSET, "default": 0},
        description="How many rows to pass over.",
    ),
]


class ErrorDetail(serializers.Serializer[Any]):
    code = serializers.ChoiceField(choices=[code.value for code in ErrorCode])
    message = serializers.CharField()
    details = serializers.DictField(required=False, help_text="What is wrong, by field.")
    requestId = serializers.CharField()


class Error(serializers.Serializer[Any]):
    """The body of every error."""

    error = ErrorDetail()


class AutoSchema(SpectacularAutoSchema):
    """Adds the errors that the flow of a request can give, the credentials, and the shared headers."""

    @property
    def is_public(self) -> bool:
        return cast(ApiView, self.view).public

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        if self.method in WRITES and getattr(self.view, "idempotent", False) and not self.is_public:
            parameters.append(
                OpenApiParameter(
                    "X-Idempotency-Key",
                    {"type": "string", "minLength": 1, "maxLength": 255},
                    OpenApiParameter.HEADER,
                    description="The same request under the same key gets the first answer again. Or: Idempotency-Key.",
                )
            )
        return parameters

    def get_auth(self) -> list[dict[str, Any]]:
        credentials: list[dict[str, Any]] = [{"bearer": []}, {"session": []}, {"adminToken": []}]
        return [{}, *credentials] if self.is_public else credentials

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        """Overrides a private method: the public one is replaced by each view's `extend_schema`."""
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in sorted(self.error_statuses() - {int(code) for code in bodies}):
            description = CODE_OF_STATUS[status].replace("_", " ").capitalize()
            response = OpenApiResponse(Error, description)
            bodies[str(status)] = self._get_response_for_code(response, str(status))  # type: ignore[no-untyped-call]
        return bodies

    def error_statuses(self) -> set[int]:
        statuses = {400, 401, 404, 429, 500, 503}
        if not self.is_public:
            statuses.add(403)
        if self.method in WRITES:
            statuses |= {403, 409, 413, 415}
        return statuses


def close_request_bodies(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Bodies refuse unknown fields, and the credentials have a description."""
    schemas = result.get("components", {}).get("schemas", {})
    for schema in schemas.values():
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    result.setdefault("components", {})["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API token, for its scopes alone."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "Writes need X-CSRFToken.",
        },
        "adminToken": {"type": "apiKey", "in": "header", "name": "X-Admin-Token", "description": "Reads only."},
    }
    return result
