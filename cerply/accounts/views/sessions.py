"""Signing in and out, and who one is."""

from django.middleware.csrf import get_token
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply.accounts import passwords, representation, serializers, signing_in
from cerply.accounts.models import User
from cerply.throttling import spend_for_email
from ops.api import ApiView

TAGS = ["sign-in"]


class LoginView(ApiView):
    public = True
    idempotent = False
    rate_class = "sign_in"

    @extend_schema(
        operation_id="signIn",
        summary="Begin a session",
        description="Sets the session cookie and the CSRF cookie.",
        tags=TAGS,
        request=serializers.SignInInput,
        responses={200: serializers.Me},
    )
    def post(self, request: Request) -> Response:
        values = self.valid(serializers.SignInInput)
        spend_for_email("sign_in_email", values["email"])
        user = signing_in.sign_in(request._request, values["email"], values["password"], values.get("organization"))
        get_token(request._request)
        return Response(representation.me(user))


class LogoutView(ApiView):
    idempotent = False

    @extend_schema(operation_id="signOut", summary="End this session", tags=TAGS, request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        if isinstance(request._request.user, User):
            signing_in.sign_out(request._request, request._request.user)
        return Response(status=204)


class MeView(ApiView):
    @extend_schema(
        operation_id="me",
        summary="Who one is",
        description="Sets the CSRF cookie, which a session's writes send back as X-CSRFToken.",
        tags=TAGS,
        responses={200: serializers.Me},
    )
    def get(self, request: Request) -> Response:
        get_token(request._request)
        user = request.user
        return Response(representation.me(user) if isinstance(user, User) else representation.ADMIN_TOKEN)


class PasswordLinkView(ApiView):
    public = True
    idempotent = False
    rate_class = "sign_in"

    @extend_schema(
        operation_id="requestPasswordLink",
        summary="Have a link mailed to set a password",
        description="The answer is the same whether or not somebody bears the address.",
        tags=TAGS,
        request=serializers.PasswordLinkInput,
        responses={202: serializers.PasswordLinkRequested},
    )
    def post(self, request: Request) -> Response:
        email = self.valid(serializers.PasswordLinkInput)["email"]
        spend_for_email("password_link_email", email)
        passwords.request_link(email)
        return Response({"ok": True}, status=202)
