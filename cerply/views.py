"""The flow of every API request.

The contract fixes the order in which a request is checked, and it is not the framework's: that is why `ApiView` has
its own `dispatch`. A view fills in `permit`, `find` and its methods.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from cerply.csrf import passes_csrf
from cerply.errors import BadRequest, Forbidden, Invalid, MethodNotAllowed, Unauthorized
from cerply.identifiers import parse_uuid
from cerply.pagination import Page
from cerply.parsers import BODY_LIMIT, Body, read_body
from cerply.permissions import ANONYMOUS, Caller, CallerKind, Scope
from cerply.requests import WRITES, current


class ApiView(APIView):
    """One route. In order: switch, method, ids, who, body, organization's feature, may she, is it there, the work."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    public: ClassVar[bool] = False
    rate_class: ClassVar[str] = "api"
    body_limit: ClassVar[int] = BODY_LIMIT
    # Methods that expect nothing in the body.
    bodiless: ClassVar[frozenset[str]] = frozenset({"DELETE"})
    # Media types that it takes beside JSON.
    content_types: ClassVar[tuple[str, ...]] = ()
    caller: Caller = ANONYMOUS
    body: Body = Body()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.args, self.kwargs = args, kwargs
        self.request: Request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            self.check_switch()
            handler = self.method_handler()
            self.kwargs = self.parsed_ids(kwargs)
            if request.method in WRITES:
                self.body = read_body(request, self.body_limit)
            try:
                self.caller = self.authenticated()
            finally:  # also what ends here is counted, or guessing tokens would cost nothing
                self.check_rate()
            self.body.refuse_unless_acceptable(self.content_types)
            self.check_feature()
            self.check_csrf()
            self.check_scope()
            self.permit()
            response = self.perform(handler)
        except Exception as exc:
            response = self.handle_exception(exc)
        self.response = self.finalize_response(self.request, response, *args, **kwargs)
        return self.response

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-cache" if response.status_code < 400 else "no-store"
        patch_vary_headers(response, ["Authorization", "Cookie", "X-Admin-Token"])
        return response

    def check_switch(self) -> None:
        """404 where the feature is off for everyone."""

    def method_handler(self) -> Callable[..., Response]:
        method = (self.request.method or "").lower()
        handler = getattr(self, method, None) if method in self.http_method_names else None
        if handler is None:
            raise MethodNotAllowed(method.upper(), self.allowed_methods)
        return handler  # type: ignore[no-any-return]

    def parsed_ids(self, kwargs: Mapping[str, str]) -> dict[str, UUID | str]:
        """Arguments named ``…_id`` are UUIDs; anything else in their place is 400."""
        parsed: dict[str, UUID | str] = {}
        for name, text in kwargs.items():
            value = parse_uuid(text) if name.endswith("_id") else text
            if value is None:
                raise BadRequest("An id in the path is not a UUID.")
            parsed[name] = value
        return parsed

    def authenticated(self) -> Caller:
        """A credential that is present decides alone: a wrong one is 401, on public routes too."""
        self.perform_authentication(self.request)
        caller = cast(Caller | None, self.request.auth) or ANONYMOUS
        doing = current()
        doing.user_id, doing.organization_id = caller.user_id, caller.organization_id
        if caller.is_anonymous and not self.public:
            raise Unauthorized()
        return caller

    def check_rate(self) -> None:
        self.check_throttles(self.request)

    def check_feature(self) -> None:
        """404 where the feature is off for the caller's organization."""

    def check_csrf(self) -> None:
        """403 for what another site made a browser send."""
        if self.caller.by_session and self.request.method in WRITES:
            csrf_is_there = passes_csrf(self.request._request)
            self.require(csrf_is_there, "Writing with a session needs its CSRF token in X-CSRFToken.")

    def check_scope(self) -> None:
        """403 for a token that was not made for this (RFC 6750, 3.1)."""
        needed = Scope.WRITE if self.request.method in WRITES else Scope.READ
        if not self.public and needed not in self.caller.scopes:
            challenge = f'Bearer realm="cerply", error="insufficient_scope", scope="{needed.value}"'
            raise Forbidden(f"This token has not the scope “{needed.value}”.", headers={"WWW-Authenticate": challenge})

    def permit(self) -> None:
        """403 for who may not; decided without telling whether the thing exists. The admin token writes nothing."""
        self.require(self.caller.kind is not CallerKind.ADMIN_TOKEN or self.request.method not in WRITES)

    def perform(self, handler: Callable[..., Response]) -> HttpResponseBase:
        self.find()
        if self.request.method in self.bodiless:
            self.refuse_fields()
        return handler(self.request, **self.kwargs)

    def find(self) -> None:
        """404 or 410 before the body is looked at."""

    def refuse_fields(self) -> None:
        """400 for a body where none is expected; an empty object is none."""
        value = {} if self.body.is_empty else self.body.parsed()
        if not isinstance(value, dict):
            raise BadRequest("Nothing is expected in the body.")
        if value:
            raise Invalid({name: ["There is no such field."] for name in sorted(value)[:20]})

    def valid(self, serializer: type[Serializer[Any]], **options: Any) -> dict[str, Any]:
        """The body, checked; 400 naming each wrong field."""
        value = self.body.parsed()
        if not isinstance(value, dict):
            raise BadRequest("Send a JSON object.")
        checked = serializer(data=value, **options)
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)

    def query(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        """The query string's known parameters, checked."""
        known = {name: text for name, text in self.request.query_params.items() if name in serializer().fields}
        if bad := [name for name, text in known.items() if "\0" in text]:
            raise Invalid({name: ["NUL is not allowed."] for name in bad})
        checked = serializer(data=known)
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)

    def held(self, etag: Callable[[], str]) -> HttpResponse | None:
        """304 where the client has what the ``ETag`` names; None for an answer to be made.

        Without ``If-None-Match`` nobody asks for the ``ETag``. Weak ones are compared like strong ones (RFC
        9110, 13.1.2).
        """
        known = [tag.removeprefix("W/") for tag in parse_etags(self.request.headers.get("If-None-Match", ""))]
        if not known:
            return None
        named = etag()
        if known != ["*"] and named not in known:
            return None
        answer = HttpResponse(status=304, headers={"ETag": named})
        del answer["Content-Type"]
        return answer

    def page(self) -> Page:
        return Page.of(self.request.query_params)

    def require(self, allowed: bool, message: str | None = None) -> None:
        if not allowed:
            raise Forbidden(message)
