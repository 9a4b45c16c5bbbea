"""The admin's site: for staff who have shown their second factor."""

from django.http import HttpRequest
from unfold.sites import UnfoldAdminSite

from cerply.accounts import second_factor


class ConsoleSite(UnfoldAdminSite):  # type: ignore[misc]  # the library has no types
    def has_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_permission(request)) and not second_factor.is_owed(request)
