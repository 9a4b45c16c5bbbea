"""The admin's pages for people and organizations."""

from django.contrib import admin
from django.contrib.auth.models import Group

from cerply.accounts.admin.heads import HeadMailAdmin
from cerply.accounts.admin.lockouts import FailedSignInAdmin
from cerply.accounts.admin.organizations import OrganizationAdmin
from cerply.accounts.admin.teams import MembershipAdmin, TeamAdmin
from cerply.accounts.admin.tokens import ApiTokenAdmin
from cerply.accounts.admin.users import UserAdmin

__all__ = [
    "ApiTokenAdmin",
    "FailedSignInAdmin",
    "HeadMailAdmin",
    "MembershipAdmin",
    "OrganizationAdmin",
    "TeamAdmin",
    "UserAdmin",
]

# All staff may do everything; who is staff, superusers decide.
admin.site.unregister(Group)
