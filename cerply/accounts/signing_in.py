"""Sessions: signing in with a password, and signing out. Single sign-on will come in here too."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth import authenticate, login, logout
from django.db import transaction
from django.http import HttpRequest
from unfold.forms import AuthenticationForm

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
        raise Unauthorized(WRONG)
    with transaction.atomic():
        login(request, user)
    return user


@transaction.atomic
def sign_out(request: HttpRequest) -> None:
    """Ends this session, and no other one of hers."""
    logout(request)


def audit_success(sender: object, user: User, **kwargs: Any) -> None:
    """Django's ``user_logged_in``: by the API or in the admin."""
    with transaction.atomic():
        record(Event(EventType.SIGNED_IN, user.organization_id, "user", user.id), actor=user.caller().actor)


def audit_end(sender: object, user: User | None, **kwargs: Any) -> None:
    """Django's ``user_logged_out``: by the API or in the admin; nobody, where no session was."""
    if user is None:
        return
    with transaction.atomic():
        record(Event(EventType.SIGNED_OUT, user.organization_id, "user", user.id), actor=user.caller().actor)


def audit_failure(sender: object, credentials: Mapping[str, Any], **kwargs: Any) -> None:
    """Django's ``user_login_failed``."""
    organization_id = credentials.get("organization_id")
    with transaction.atomic():
        metadata = {"email": str(credentials.get("username", "")).replace("\0", "")[:254]}
        record(Event(EventType.SIGN_IN_FAILED, organization_id, metadata=metadata), actor=ANONYMOUS.actor)


class StaffSignInForm(AuthenticationForm):  # type: ignore[misc]
    """The admin's: staff alone, whoever else has the address and the password."""

    def clean(self) -> dict[str, Any]:
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if email is not None and password:
            self.user_cache = authenticate(self.request, username=email, password=password, staff=True)
            if self.user_cache is None:
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(self.user_cache)
        return dict(self.cleaned_data)
