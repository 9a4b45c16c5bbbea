"""Roles, and who is asking: what authentication put on the request."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.db.models import TextChoices


class Role(TextChoices):
    """What somebody is inside her organization."""

    LEARNER = "learner", "Learner"
    MANAGER = "manager", "Manager"
    ADMIN = "admin", "Admin"
    AUDITOR = "auditor", "Auditor"


class Scope(TextChoices):
    """What an API token may be used for: a program that only sends answers needs to read nothing."""

    READ = "read", "Read"
    WRITE = "write", "Write"


EVERY_SCOPE = frozenset(Scope)


class CallerKind(StrEnum):
    ANONYMOUS = "anonymous"
    MEMBER = "member"
    STAFF = "staff"
    ADMIN_TOKEN = "admin_token"  # noqa: S105 - a kind, not a secret


class ActorKind(StrEnum):
    USER = "user"
    ADMIN_TOKEN = "admin_token"  # noqa: S105 - a kind, not a secret
    SYSTEM = "system"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused a change, as the audit keeps it."""

    kind: ActorKind
    id: UUID | None = None
    label: str = ""
    # The API token that acted in somebody's name.
    token_id: UUID | None = None

    @classmethod
    def system(cls, label: str) -> "Actor":
        """A job or a command, by its name."""
        return cls(ActorKind.SYSTEM, label=label)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking. A member has an organization and a role in it; staff and the admin token have neither."""

    kind: CallerKind
    user_id: UUID | None = None
    organization_id: UUID | None = None
    role: Role | None = None
    token_id: UUID | None = None
    by_session: bool = False
    # What her token is for; without a token, everything.
    scopes: frozenset[Scope] = EVERY_SCOPE

    @property
    def id_to_match(self) -> UUID:
        """Her id, for a query; the nil UUID, which no row has, for who is no user."""
        return self.user_id or UUID(int=0)

    @property
    def member_of(self) -> UUID:
        """The organization's id, where it is known that she is a member of one."""
        if self.organization_id is None:
            raise ValueError(f"{self.key} is in no organization.")
        return self.organization_id

    @property
    def is_anonymous(self) -> bool:
        return self.kind is CallerKind.ANONYMOUS

    @property
    def is_member(self) -> bool:
        return self.kind is CallerKind.MEMBER

    @property
    def reads_everything(self) -> bool:
        """Platform staff and the admin token: every organization, and no writing."""
        return self.kind in {CallerKind.STAFF, CallerKind.ADMIN_TOKEN}

    @property
    def reads_organization(self) -> bool:
        """Sees every row of her organization (or of all of them)."""
        return self.reads_everything or self.role in {Role.ADMIN, Role.AUDITOR}

    @property
    def administers(self) -> bool:
        """May change her organization's people, material and certificates."""
        return self.role is Role.ADMIN

    @property
    def key(self) -> str:
        """Tells callers apart, whichever of her credentials one uses."""
        return f"{self.kind}:{self.user_id or ''}"

    @property
    def actor(self) -> Actor:
        if self.user_id:
            return Actor(ActorKind.USER, self.user_id, self.role or self.kind, self.token_id)
        if self.kind is CallerKind.ADMIN_TOKEN:
            return Actor(ActorKind.ADMIN_TOKEN, label="X-Admin-Token")
        return Actor(ActorKind.ANONYMOUS)


ANONYMOUS = Caller(CallerKind.ANONYMOUS)
