"""One's own API tokens."""

from datetime import timedelta
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply import clock
from cerply.accounts import representation, serializers, tokens
from cerply.accounts.models import ApiToken, User
from cerply.errors import Forbidden, Invalid, NotFound
from cerply.openapi import PAGE_PARAMETERS
from cerply.permissions import Scope
from cerply.requests import WRITES
from ops.api import ApiView

TAGS = ["sign-in"]
LONGEST_VALIDITY = timedelta(days=365)


class OwnTokensView(ApiView):
    idempotent = False

    def permit(self) -> None:
        if self.request.method in WRITES:
            self.require(self.caller.user_id is not None, "The admin token writes nothing.")

    @property
    def user(self) -> User:
        if not isinstance(self.request.user, User):
            raise Forbidden
        return self.request.user


class TokensView(OwnTokensView):
    @extend_schema(
        operation_id="listTokens",
        summary="One's own API tokens",
        tags=TAGS,
        parameters=PAGE_PARAMETERS,
        responses={200: serializers.TokenPage},
    )
    def get(self, request: Request) -> Response:
        own = ApiToken.objects.filter(user_id=self.caller.id_to_match)
        return Response(self.page().of_queryset("tokens", own, representation.token))

    @extend_schema(
        operation_id="createToken",
        summary="Make an API token",
        description="One that is made with a token expires no later than that one, and has no scope that it has not.",
        tags=TAGS,
        request=serializers.TokenInput,
        responses={201: serializers.CreatedToken},
    )
    def post(self, request: Request) -> Response:
        values = self.valid(serializers.TokenInput)
        now = clock.now()
        expires_at = values.get("expiresAt") or now + tokens.DEFAULT_VALIDITY
        if not now < expires_at <= now + LONGEST_VALIDITY:
            raise Invalid({"expiresAt": ["Give a moment ahead, by a year at most."]})
        if self.caller.token_id:
            expires_at = min(expires_at, ApiToken.objects.get(id=self.caller.token_id).expires_at)
        scopes = {Scope(name) for name in values.get("scopes", self.caller.scopes)}
        if not scopes <= self.caller.scopes:
            raise Invalid({"scopes": ["The token that makes it has fewer."]})
        token, secret = tokens.create(
            self.user, values["name"], expires_at=expires_at, scopes=scopes, actor=self.caller.actor
        )
        return Response({**representation.token(token), "token": secret}, status=201)


class TokenView(OwnTokensView):
    token: ApiToken

    def find(self) -> None:
        found = ApiToken.objects.filter(user_id=self.caller.id_to_match, id=self.kwargs["token_id"]).first()
        if found is None:
            raise NotFound("There is no such token.")
        self.token = found

    @extend_schema(operation_id="revokeToken", summary="Revoke an API token", tags=TAGS, responses={204: None})
    def delete(self, request: Request, token_id: UUID) -> Response:
        tokens.revoke(self.token, actor=self.caller.actor)
        return Response(status=204)
