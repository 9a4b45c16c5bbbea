"""Who is calling: a bearer token, the admin token, or a session. A credential that is present decides alone."""

import hmac

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from audit.models import EventType
from audit.recording import Event, record
from cerply.accounts import second_factor, tokens
from cerply.accounts.models import User
from cerply.errors import BadRequest, Unauthorized
from cerply.permissions import ANONYMOUS, Caller, CallerKind, Scope

LONGEST_SECRET = 512

type Found = tuple[User | AnonymousUser, Caller]


class CredentialAuthentication(BaseAuthentication):
    """Gives the user and the `Caller`, which is what the rest of the program looks at."""

    def authenticate(self, request: Request) -> Found:
        by_header = [found for found in (self.by_token(request), self.by_admin_token(request)) if found]
        session = self.by_session(request)
        if len(by_header) > 1 or (by_header and session and by_header[0][1].key != session[1].key):
            raise BadRequest("Two different credentials were sent. Send one of them.")
        if by_header:
            found = by_header[0]
            if found[1].kind is CallerKind.ADMIN_TOKEN:
                self.audit_admin_token(request)
            return found
        return session or (AnonymousUser(), ANONYMOUS)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="cerply"'

    def by_token(self, request: Request) -> Found | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, secret = header.strip().partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not 0 < len(secret) <= LONGEST_SECRET or not secret.isascii():
            raise Unauthorized()
        token = tokens.find_usable(secret)
        if token is None:
            raise Unauthorized()
        return token.user, token.user.caller(token.id, scopes=frozenset(map(Scope, token.scopes)))

    def by_admin_token(self, request: Request) -> Found | None:
        """Where ``ADMIN_TOKEN`` does not count, the header is as if it were not there."""
        given = request.headers.get("X-Admin-Token")
        if given is None or not settings.ADMIN_TOKEN:
            return None
        if not hmac.compare_digest(given.encode(), settings.ADMIN_TOKEN.encode()):
            raise Unauthorized()
        return AnonymousUser(), Caller(CallerKind.ADMIN_TOKEN)

    def by_session(self, request: Request) -> Found | None:
        user = request._request.user
        if not isinstance(user, User) or not user.is_active or second_factor.is_owed(request._request):
            return None
        return user, user.caller(by_session=True)

    def audit_admin_token(self, request: Request) -> None:
        metadata = {"method": request.method, "path": request.path}
        with transaction.atomic():
            record(
                Event(EventType.ADMIN_TOKEN_USED, None, metadata=metadata), actor=Caller(CallerKind.ADMIN_TOKEN).actor
            )
