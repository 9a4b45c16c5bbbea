"""Sessions: signing in with a password, and signing out. Single sign-on will come in here too."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.auth import authenticate, login, logout
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.forms import AuthenticationForm

from audit.models import EventType
from audit.recording import Event, record
from cerply.accounts.backends import AmbiguousPassword
from cerply.accounts.models import User
from cerply.errors import Invalid, RateLimited, Unauthorized
from cerply.permissions import ANONYMOUS
from cerply.throttling import client_address, spend, spend_for_email

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


def sign_out(request: HttpRequest, user: User) -> None:
    """Ends this session, and no other one of hers."""
    with transaction.atomic():
        record(Event(EventType.SIGNED_OUT, user.organization_id, "user", user.id), actor=user.caller().actor)
        logout(request)


def audit_success(sender: object, user: User, **kwargs: Any) -> None:
    """Django's ``user_logged_in``: by the API or in the admin."""
    with transaction.atomic():
        record(Event(EventType.SIGNED_IN, user.organization_id, "user", user.id), actor=user.caller().actor)


def audit_failure(sender: object, credentials: Mapping[str, Any], **kwargs: Any) -> None:
    """Django's ``user_login_failed``."""
    organization_id = credentials.get("organization_id")
    with transaction.atomic():
        metadata = {"email": str(credentials.get("username", "")).replace("\0", "")[:254]}
        record(Event(EventType.SIGN_IN_FAILED, organization_id, metadata=metadata), actor=ANONYMOUS.actor)


class StaffSignInForm(AuthenticationForm):  # type: ignore[misc]
    """The admin's: staff alone, whoever else has the address and the password."""

    # Set when she has tried too often.
    limited: RateLimited | None = None

    def clean(self) -> dict[str, Any]:
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if email is not None and password:
            self.count_try(email)
            self.user_cache = authenticate(self.request, username=email, password=password, staff=True)
            if self.user_cache is None:
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(self.user_cache)
        return dict(self.cleaned_data)

    def count_try(self, email: str) -> None:
        """From the same purse as the API's sign-in."""
        try:
            spend("sign_in", client_address(self.request))
            spend_for_email("sign_in_email", email)
        except RateLimited as exc:
            self.limited = exc
            raise ValidationError(f"Too many tries. Wait {exc.headers['Retry-After']} seconds.") from exc


def staff_sign_in(request: HttpRequest) -> HttpResponse:
    """The admin's page; its form alone could not answer 429."""
    response = admin.site.login(request)
    form = response.context_data["form"] if isinstance(response, TemplateResponse) and response.context_data else None
    if isinstance(form, StaffSignInForm) and form.limited:
        response.status_code = form.limited.status
        for name, value in form.limited.headers.items():
            response[name] = value
    return response
