"""Staff change their own password, which is audited like the one set by a mailed link."""

from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from unfold.forms import AdminOwnPasswordChangeForm

from audit.models import EventType
from audit.recording import Event, record
from cerply.accounts.models import User
from cerply.console import actor_of


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    """Asks for the old password."""

    @transaction.atomic
    def save(self, commit: bool = True) -> User:
        user: User = super().save(commit)
        record(Event(EventType.PASSWORD_CHANGED, user.organization_id, "user", user.id), actor=actor_of(user))
        return user


def change_own(request: HttpRequest) -> HttpResponseBase:
    """In the place of the admin site's view, which takes no form of ours."""
    view = PasswordChangeView.as_view(
        form_class=OwnPasswordForm,
        success_url=reverse("admin:password_change_done"),
        extra_context=admin.site.each_context(request),
    )
    return view(request)
