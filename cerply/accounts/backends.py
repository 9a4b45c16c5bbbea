"""Passwords: who bears the address, and whose password is it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.db.models.functions import Lower
from django.http import HttpRequest

from cerply.accounts.models import User
from cerply.env import DEMO_SECRETS


class AmbiguousPassword(Exception):
    """Several people with the same address have the same password: only the organization can tell them apart."""

    def __init__(self, people: Iterable[User]) -> None:
        super().__init__()
        self.organizations = [person.organization for person in people if person.organization]


class EmailBackend(ModelBackend):
    """Addresses are unique per organization, not across them; the password decides between two."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        *,
        organization_id: UUID | None = None,
        staff: bool = False,
        **kwargs: Any,
    ) -> User | None:
        email = username if username is not None else kwargs.get(User.USERNAME_FIELD)
        if not email or password is None or "\0" in email:
            return None
        if password in DEMO_SECRETS and not settings.RELAXED:
            return None
        people = User.objects.alias(lower_email=Lower("email")).filter(lower_email=email.lower(), is_active=True)
        people = people.select_related("organization")
        if organization_id:
            people = people.for_organization(organization_id)
        if staff:
            people = people.filter(organization=None)
        bearers = [person for person in people if person.organization is None or person.organization.closed_at is None]
        if not bearers:
            # As slow as a wrong password, so that nobody learns who is known here.
            User().set_password(password)
            return None
        matching = [person for person in bearers if person.check_password(password)]
        if len(matching) > 1:
            raise AmbiguousPassword(matching)
        return matching[0] if matching else None

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """All staff may do in the admin whatever its pages allow."""
        return bool(user_obj.is_active and user_obj.is_staff)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return bool(user_obj.is_active and user_obj.is_staff)

    def user_can_authenticate(self, user: Any) -> bool:
        closed = getattr(user, "organization", None) is not None and user.organization.closed_at is not None
        return bool(user.is_active) and not closed
