"""People as the API writes them."""

from typing import Any

from cerply.accounts.models import ApiToken, Organization, Team, TeamRole, User
from cerply.clock import rfc3339


def me(user: User) -> dict[str, Any]:
    return {
        "id": str(user.id),
        "name": user.name,
        "email": user.email,
        "role": user.role,
        "organization": organization_name(user.organization) if user.organization else None,
        "staff": user.organization is None,
        "locale": user.locale,
        "timezone": user.timezone,
    }


ADMIN_TOKEN = {
    "id": None,
    "name": "Admin token",
    "email": None,
    "role": None,
    "organization": None,
    "staff": True,
    "locale": "en",
    "timezone": "UTC",
}


def organization_name(organization: Organization) -> dict[str, Any]:
    return {"id": str(organization.id), "name": organization.name}


def token(row: ApiToken) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "name": row.name,
        "scopes": row.scopes,
        "createdAt": rfc3339(row.created_at),
        "expiresAt": rfc3339(row.expires_at),
        "lastUsedAt": rfc3339(row.last_used_at) if row.last_used_at else None,
        "revokedAt": rfc3339(row.revoked_at) if row.revoked_at else None,
    }


def learner(user: User) -> dict[str, Any]:
    """With memberships and their teams prefetched."""
    teams = {membership.team.id: membership.team for membership in user.memberships.all()}
    return {
        "id": str(user.id),
        "externalId": user.external_id,
        "name": user.name,
        "email": user.email,
        "role": user.role,
        "active": user.is_active,
        "locale": user.locale,
        "timezone": user.timezone,
        "teams": [
            {"id": str(team.id), "name": team.name}
            for team in sorted(teams.values(), key=lambda team: (team.name, team.id))
        ],
    }


def team(row: Team) -> dict[str, Any]:
    """With memberships and their users prefetched."""
    people: dict[str, list[User]] = {role: [] for role in TeamRole}
    for membership in row.memberships.all():
        people[membership.role].append(membership.user)
    managers, members = (
        [
            {"id": str(user.id), "name": user.name}
            for user in sorted(people[role], key=lambda user: (user.name, user.id))
        ]
        for role in (TeamRole.MANAGER, TeamRole.MEMBER)
    )
    return {
        "id": str(row.id),
        "name": row.name,
        "managers": managers,
        "members": members,
        "createdAt": rfc3339(row.created_at),
    }
