"""Passwords that were forgotten, or never set: a link by mail, and the page behind it."""

import logging
from collections.abc import Sequence
from datetime import timedelta
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
from audit.recording import Event, record, record_many
from cerply import clock
from cerply.accounts.models import OwedLink, User
from cerply.errors import Conflict
from cerply.permissions import ANONYMOUS, Actor
from cerply.requests import current_request_id, request_id
from ops import owed_mail
from ops.wake import enqueue

logger = logging.getLogger(__name__)


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
        OwedLink.objects.create(email=email, request_id=current_request_id())
        enqueue("cerply.accounts.passwords.mail_owed")


def send_link(user: User, *, actor: Actor) -> None:
    """Has a link mailed to her. Raises `Conflict` where it would let nobody in."""
    if not user.is_active:
        raise Conflict(f"{user.name} is not active. Reactivate her first.")
    if user.organization and user.organization.closed_at:
        raise Conflict(f"{user.organization} is closed. Reopen it first.")
    with transaction.atomic():
        _owe([user], actor=actor)
        enqueue("cerply.accounts.passwords.mail_owed")


def mail_owed() -> str:
    """The job: what is due, one after the other. What fails is due again later, and holds up nobody else."""
    return f"Mailed {owed_mail.work_off(_settle_next)} links."


def _settle_next() -> bool | None:
    due = OwedLink.objects.due(clock.now()).select_related("user__organization")
    owed = due.select_for_update(skip_locked=True, of=("self",)).first()
    if owed is None:
        return None
    if owed.user is None:
        owed.delete()
        with request_id(owed.request_id):
            _owe(_bearers(owed.email), actor=ANONYMOUS.actor)
        return False
    return _settle(owed, owed.user)


def _bearers(email: str) -> Sequence[User]:
    people = User.objects.alias(address=Lower("email")).filter(address=email.lower(), is_active=True)
    return list(people.filter(Q(organization=None) | Q(organization__closed_at=None)))


def _owe(people: Sequence[User], *, actor: Actor) -> None:
    OwedLink.objects.bulk_create(OwedLink(email=user.email, user=user) for user in people)
    events = [
        Event(EventType.PASSWORD_LINK_REQUESTED, user.organization_id, "user", user.id, {"email": user.email})
        for user in people
    ]
    record_many(events, actor=actor)


def _settle(owed: OwedLink, user: User) -> bool:
    """Whether it was mailed; if not, it is owed later, or no more."""
    closed = user.organization is not None and user.organization.closed_at is not None
    if user.is_active and not closed:
        try:
            _mail(user)
        except Exception as exc:  # whatever it is, the others get theirs
            return _put_off(owed, exc)
    owed.delete()
    return user.is_active and not closed


def _put_off(owed: OwedLink, exc: Exception) -> bool:
    stale = owed.requested_at + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
    owed.attempts += 1
    again = owed_mail.next_try(owed.attempts, clock.now())
    if again is None or again >= stale:
        logger.error("password link for %s failed %s times, giving up: %s", owed.user_id, owed.attempts, exc)
        owed.delete()
        return False
    logger.warning("password link for %s was not mailed, and is tried again: %s", owed.user_id, exc)
    owed.due_at = again
    owed.save(update_fields=["attempts", "due_at"])
    return False


def _mail(user: User) -> None:
    where = user.organization.name if user.organization else "Cerply"
    context = {
        "user": user,
        "where": where,
        "link": link_of(user),
        "hours": settings.PASSWORD_RESET_TIMEOUT // 3600,
    }
    text = render_to_string("accounts/password_link.txt", context)
    send_mail(f"Your password at {_one_line(where)}", text, None, [user.email])


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
