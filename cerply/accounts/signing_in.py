"""Sessions: signing in with a password, and signing out. Single sign-on will come in here too."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import authenticate, login, logout
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.forms import AuthenticationForm

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.accounts import lockout, second_factor
from cerply.accounts.backends import AmbiguousPassword
from cerply.accounts.models import Organization, User
from cerply.errors import Forbidden, Invalid, RateLimited, Unauthorized
from cerply.permissions import ANONYMOUS
from cerply.throttling import client_address, spend, spend_for_email

STEP = 1000
LONGEST_ADDRESS = 2000
WRONG = "E-mail address and password do not match."
AMBIGUOUS = "Several people have this address and password. Say in which organization."


class Ambiguous(Invalid):
    """Only the organization could tell who it is: one of these."""

    def __init__(self, organizations: Iterable[Organization]) -> None:
        super().__init__({"organization": [AMBIGUOUS]})
        self.organizations = sorted(organizations, key=lambda organization: organization.name)


def on_the_way_to(request: HttpRequest, otherwise: str) -> str:
    """Where to go after signing in: what ``next`` says, if it is on this site."""
    address = request.POST.get("next") or request.GET.get("next", "")
    is_plain = address.startswith("/") and address.isprintable() and len(address) <= LONGEST_ADDRESS
    return address if is_plain and url_has_allowed_host_and_scheme(address, allowed_hosts=None) else otherwise


class Elsewhere(Forbidden):
    """The session that begins in the admin counts everywhere."""

    message = "Staff sign in at /admin/, with a second factor."


def sign_in(request: HttpRequest, email: str, password: str, organization_id: UUID | None) -> User:
    """Begins a session.

    Raises `Unauthorized`, `RateLimited` for who is locked out, `Ambiguous`, or `Elsewhere` for staff whose second
    factor only the admin asks for.
    """
    try:
        user = authenticate(request, username=email, password=password, organization_id=organization_id)
    except AmbiguousPassword as exc:
        raise Ambiguous(exc.organizations) from None
    if not isinstance(user, User):
        lockout.refuse_locked(request, email)
        raise Unauthorized(WRONG)
    if user.is_staff and settings.STAFF_SECOND_FACTOR:
        raise Elsewhere
    with transaction.atomic():
        # Locked against being deactivated, and still who she was when the password was checked.
        same = User.objects.filter(id=user.id, is_active=True, session_epoch=user.session_epoch)
        if not same.select_for_update(no_key=True).exists():
            raise Unauthorized(WRONG)
        login(request, user)
    return user


@transaction.atomic
def sign_out(request: HttpRequest) -> None:
    """Ends this session, and no other one of hers."""
    logout(request)


def clear_sessions() -> str:
    """The job: deletes the sessions that have expired, a thousand at a time; and failures that count no more."""
    lockout.clear_old()
    expired = Session.objects.filter(expire_date__lt=clock.now()).order_by("expire_date")
    deleted = 0
    while True:
        with transaction.atomic():
            chosen = list(expired.select_for_update(skip_locked=True).values_list("pk", flat=True)[:STEP])
            deleted += Session.objects.filter(pk__in=chosen).delete()[0]
        if len(chosen) < STEP:
            return f"Deleted {deleted} expired sessions."


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

    # Set when she has tried too often.
    limited: RateLimited | None = None

    def clean(self) -> dict[str, Any]:
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if email is not None and password:
            with self.limits():
                spend("sign_in", client_address(self.request))
                spend_for_email("sign_in_email", email)
            self.user_cache = authenticate(self.request, username=email, password=password, staff=True)
            if self.user_cache is None:
                with self.limits():
                    lockout.refuse_locked(self.request, email)
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(self.user_cache)
        return dict(self.cleaned_data)

    @contextmanager
    def limits(self) -> Iterator[None]:
        """From the same purse as the API's sign-in."""
        try:
            yield
        except RateLimited as exc:
            self.limited = exc
            raise ValidationError(f"Too many tries. Wait {exc.headers['Retry-After']} seconds.") from exc


def staff_sign_in(request: HttpRequest) -> HttpResponse:
    """The admin's page, and on to the second factor; its form alone could not answer 429."""
    if second_factor.is_owed(request):
        return HttpResponseRedirect(f"{reverse('second-factor')}?{request.GET.urlencode()}")
    response = admin.site.login(request)
    if response.status_code == 302 and isinstance(request.user, User):
        request.session.set_expiry(settings.STAFF_SESSION_AGE)
    form = response.context_data["form"] if isinstance(response, TemplateResponse) and response.context_data else None
    if isinstance(form, StaffSignInForm) and form.limited:
        response.status_code = form.limited.status
        for name, value in form.limited.headers.items():
            response[name] = value
    return response
