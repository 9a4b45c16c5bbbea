"""The people: organizations, users, teams, the tokens that act for users, and what is owed to them by mail."""

from cerply.accounts.models.authenticators import Authenticator, RecoveryCodes
from cerply.accounts.models.lockouts import FailedSignIn
from cerply.accounts.models.mails import HeadMail, OwedLink
from cerply.accounts.models.people import (
    Membership,
    Organization,
    Team,
    TeamRole,
    User,
    validate_timezone,
)
from cerply.accounts.models.tokens import ApiToken

__all__ = [
    "ApiToken",
    "Authenticator",
    "FailedSignIn",
    "HeadMail",
    "Membership",
    "Organization",
    "OwedLink",
    "RecoveryCodes",
    "Team",
    "TeamRole",
    "User",
    "validate_timezone",
]
