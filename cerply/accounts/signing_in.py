"""Sessions: signing in with a password, and signing out. Single sign-on will come in here too."""

from uuid import UUID

from django.contrib.auth import authenticate, login, logout
from django.db import transaction
from django.http import HttpRequest

from audit.models import EventType
from audit.recording import Event, record
from cerply.accounts.backends import AmbiguousPassword
from cerply.accounts.models import User
from cerply.errors import Invalid, Unauthorized
from cerply.permissions import ANONYMOUS

WRONG = "E-mail address and password do not match."
AMBIGUOUS = "Several people have this address and password. Say in which organization."


def sign_in(request: HttpRequest, email: str, password: str, organization_id: UUID | None) -> User:
    """Begins a session. Raises `Unauthorized`, or `Invalid` where only the organization could tell who it is."""
    try:
        user = authenticate(request, username=email, password=password, organization_id=organization_id)
    except AmbiguousPassword:
        raise Invalid({"organization": [AMBIGUOUS]}) from None
    if not isinstance(user, User):
        with transaction.atomic():
            metadata = {"email": email, "organization": str(organization_id) if organization_id else None}
            record(Event(EventType.SIGN_IN_FAILED, organization_id, metadata=metadata), actor=ANONYMOUS.actor)
        raise Unauthorized(WRONG)
    with transaction.atomic():
        login(request, user)
        record(Event(EventType.SIGNED_IN, user.organization_id, "user", user.id), actor=user.caller().actor)
    return user


def sign_out(request: HttpRequest, user: User) -> None:
    """Ends this session, and no other one of hers."""
    with transaction.atomic():
        record(Event(EventType.SIGNED_OUT, user.organization_id, "user", user.id), actor=user.caller().actor)
        logout(request)
