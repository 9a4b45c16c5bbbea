"""Passwords that were forgotten, or never set: a link by mail, and the page behind it."""

from typing import Any

from django.conf import settings
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.contrib.auth.views import PasswordResetConfirmView
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.template.loader import render_to_string
from django.urls import reverse, reverse_lazy
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from audit.models import EventType
from audit.recording import Event, record
from cerply.accounts.models import User
from cerply.permissions import ANONYMOUS
from ops.wake import enqueue


class LinkTokens(PasswordResetTokenGenerator):
    """A link is good once: signing in, a new password, and whatever ends her sessions spoil it."""

    key_salt = "cerply.accounts.passwords.LinkTokens"

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        own: str = super()._make_hash_value(user, timestamp)
        return f"{own}{user.session_epoch}{user.is_active}"


link_tokens = LinkTokens()


def request_link(email: str) -> None:
    """Has a link mailed to each person with this address. It takes the same steps whether or not there is one."""
    with transaction.atomic():
        enqueue("cerply.accounts.passwords.mail_links", email)


def mail_links(email: str) -> str:
    """The job."""
    people = (
        User.objects.alias(address=Lower("email"))
        .filter(address=email.lower(), is_active=True)
        .filter(Q(organization=None) | Q(organization__closed_at=None))
        .select_related("organization")
    )
    mailed = 0
    for user in people:
        with transaction.atomic():
            metadata = {"email": user.email}
            event = Event(EventType.PASSWORD_LINK_REQUESTED, user.organization_id, "user", user.id, metadata)
            record(event, actor=ANONYMOUS.actor)
        where = user.organization.name if user.organization else "Cerply"
        context = {
            "user": user,
            "where": where,
            "link": link_of(user),
            "hours": settings.PASSWORD_RESET_TIMEOUT // 3600,
        }
        text = render_to_string("accounts/password_link.txt", context)
        send_mail(f"Your password at {_one_line(where)}", text, None, [user.email])
        mailed += 1
    return f"Mailed {mailed} links."


def link_of(user: User) -> str:
    """Where she can set her password, for as long as ``PASSWORD_RESET_TIMEOUT``."""
    arguments = {"uidb64": urlsafe_base64_encode(force_bytes(user.pk)), "token": link_tokens.make_token(user)}
    return settings.PUBLIC_URL + reverse("password", kwargs=arguments)


def _one_line(text: str) -> str:
    return " ".join(text.split())


class NewPasswordForm(SetPasswordForm[User]):
    """Audits what it saves; a new password ends her sessions, for each is bound to the old one."""

    @transaction.atomic
    def save(self, commit: bool = True) -> User:
        user: User = super().save(commit)
        record(Event(EventType.PASSWORD_CHANGED, user.organization_id, "user", user.id), actor=user.caller().actor)
        return user


class NewPasswordView(PasswordResetConfirmView):
    form_class = NewPasswordForm
    template_name = "accounts/new_password.html"
    success_url = reverse_lazy("password-changed")
    token_generator = link_tokens

    def get_user(self, uidb64: str) -> User | None:
        user = super().get_user(uidb64)
        return user if isinstance(user, User) and user.is_active else None
