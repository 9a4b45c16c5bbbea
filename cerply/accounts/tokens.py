"""API tokens: made, shown once, looked up by their digest, revoked."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.accounts.models import ApiToken, User
from cerply.env import DEMO_SECRETS
from cerply.errors import Unauthorized
from cerply.permissions import EVERY_SCOPE, Actor, Scope

INACTIVE = "Who is not active gets no token."
PREFIX = "cerply_"
DEFAULT_VALIDITY = timedelta(days=90)
# How exactly last use is kept: a write a minute and token, whatever the traffic.
USE_KEPT_EVERY = timedelta(minutes=1)


def digest(secret: str) -> bytes:
    """SHA-256: the secret has 256 random bits, so a slow hash would protect nothing."""
    return hashlib.sha256(secret.encode()).digest()


@transaction.atomic
def create(
    user: User,
    name: str,
    *,
    expires_at: datetime,
    actor: Actor,
    scopes: Iterable[Scope] = EVERY_SCOPE,
    secret: str | None = None,
) -> tuple[ApiToken, str]:
    """The token, and its secret, which nobody can show again. Raises `Unauthorized` for who was deactivated."""
    # Locked against being deactivated: what revokes her tokens either sees this one, or comes before it.
    if not User.objects.select_for_update(no_key=True).filter(id=user.id, is_active=True).exists():
        raise Unauthorized(INACTIVE)
    secret = secret or PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        organization_id=user.organization_id,
        user=user,
        name=name,
        scopes=sorted(set(scopes)),
        digest=digest(secret),
        expires_at=expires_at,
    )
    metadata = {
        "name": name,
        "userId": str(user.id),
        "expiresAt": clock.rfc3339(expires_at),
        "scopes": token.scopes,
    }
    record(Event(EventType.TOKEN_CREATED, user.organization_id, "api_token", token.id, metadata), actor=actor)
    return token, secret


@transaction.atomic
def revoke(token: ApiToken, *, actor: Actor) -> None:
    """Ends it; of several calls one does it and is audited."""
    now = clock.now()
    if ApiToken.objects.filter(id=token.id, revoked_at=None).update(revoked_at=now):
        token.revoked_at = now
        metadata = {"name": token.name, "userId": str(token.user_id)}
        record(Event(EventType.TOKEN_REVOKED, token.organization_id, "api_token", token.id, metadata), actor=actor)


def find_usable(secret: str) -> ApiToken | None:
    """The token of this secret, if it and its user may still be used; published ones in development and test alone."""
    if secret in DEMO_SECRETS and not settings.RELAXED:
        return None
    now = clock.now()
    token = (
        ApiToken.objects.usable(now)
        .filter(digest=digest(secret), user__is_active=True)
        .filter(Q(organization=None) | Q(organization__closed_at=None))
        .select_related("user")
        .first()
    )
    if token and (token.last_used_at is None or now - token.last_used_at >= USE_KEPT_EVERY):
        seen = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_KEPT_EVERY)
        ApiToken.objects.filter(seen, id=token.id).update(last_used_at=now)
    return token
