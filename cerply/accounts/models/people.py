"""The people: organizations, users, and teams."""

from typing import Any, ClassVar, Self
from uuid import UUID
from zoneinfo import available_timezones

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.core.validators import FileExtensionValidator, RegexValidator, URLValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Collate, Lower

from cerply import clock
from cerply.accounts.searching import OF_A_PERSON, IsAnyOf, Match, Prefixes
from cerply.identifiers import uuid7
from cerply.permissions import EVERY_SCOPE, Caller, CallerKind, Role, Scope
from cerply.tenancy import TenantQuerySet


def validate_timezone(name: str) -> None:
    """An IANA time zone that this machine knows, and that is the same on any other."""
    if name not in available_timezones() or name in {"localtime", "Factory", "posixrules"}:
        raise ValidationError("Give a time zone of the IANA database, like Europe/Berlin.")


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)

    def locked(self) -> Self:
        """Locked against being closed or deleted; rows that only refer to it are not held up."""
        return self.select_for_update(no_key=True)


class Organization(models.Model):
    """A customer: everything of hers is invisible to every other one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=255)
    logo = models.FileField(
        upload_to="logos/",
        blank=True,
        validators=[FileExtensionValidator(["png", "jpg", "jpeg"])],
        help_text="PNG or JPEG, printed on certificates.",
    )
    colour = models.CharField(
        max_length=7,
        default="#1f4e79",
        validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$", "Give a colour as #rrggbb.")],
        help_text="The colour of her certificates, as #rrggbb.",
    )
    website = models.URLField(
        blank=True, db_default="", validators=[URLValidator(["https"])], help_text="Certificates name it: https://…"
    )
    certifies_email = models.BooleanField(
        "e-mail address in certificates",
        default=False,
        db_default=False,
        help_text="New certificates bear the learner's address, hashed: who knows it can tell that they are hers.",
    )
    audit_addresses = ArrayField(
        models.EmailField(max_length=254),
        verbose_name="addresses for heads of the audit",
        blank=True,
        size=5,
        default=list,
        db_default=Value([], output_field=ArrayField(models.EmailField(max_length=254))),
        help_text="E-mail addresses, separated by commas, to which the newest head of her audit goes each day. "
        "Empty: to her auditors.",
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        db_table = "organizations"
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(colour__regex=r"^#[0-9a-fA-F]{6}$"), name="organizations_colour_is_rgb")
        ]

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        """Staff only: members' addresses are unique inside their organization alone."""
        return self.get(organization=None, email__iexact=username)

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """For ``manage.py createsuperuser``, which shows a `ValidationError` as a sentence."""
        if self.filter(organization=None, email__iexact=email).exists():
            raise ValidationError(f"{email} is staff already.")
        user = self.model(email=email, is_staff=True, is_superuser=True, role=None, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class UserQuerySet(TenantQuerySet["User"]):
    def members(self) -> Self:
        """People of organizations; platform staff are not among them."""
        return self.exclude(organization=None)

    def visible_to(self, caller: Caller) -> Self:
        """Herself; a manager's team members; the whole organization; everyone."""
        people = self.members().in_reach_of(caller)
        if caller.reads_organization:
            return people
        reach = Q(id=caller.user_id)
        if caller.role is Role.MANAGER and caller.user_id:
            reach |= Q(id__in=Membership.objects.managed_by(caller.user_id).values("user_id"))
        return people.filter(reach)

    def with_address(self, address: str) -> Self:
        """Whoever bears it, in whatever organization; upper and lower case are the same."""
        return self.alias(lower_email=Lower("email")).filter(lower_email=address.lower())

    def found_by(self, text: str) -> Self:
        """Each word of the text begins one of the name, the e-mail address or the external id."""
        matching = self.filter(Match(OF_A_PERSON, Prefixes(text))).order_by().values("id")
        # As an array, so that they are found first: else a page by name may be had by walking along all names.
        return self.filter(IsAnyOf("id", ArraySubquery(matching)))


class User(AbstractBaseUser, PermissionsMixin):  # type: ignore[django-manager-missing]  # its second factors have a base without types
    """Somebody who may sign in: a member of one organization, or platform staff (of none)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, null=True, blank=True, on_delete=models.PROTECT, related_name="users"
    )
    external_id = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - unique where there is one
    name = models.CharField(max_length=255)
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=16, choices=Role, null=True, blank=True)  # noqa: DJ001 - staff have none
    locale = models.CharField(max_length=16, default="en")
    timezone = models.CharField(max_length=64, default="UTC", validators=[validate_timezone])
    is_active = models.BooleanField(default=True)
    # Since when she is not active; not known of who was deactivated before it was recorded.
    deactivated_at = models.DateTimeField(null=True, blank=True, editable=False)
    is_staff = models.BooleanField(default=False, editable=False)
    # Part of what a session is bound to: raising it ends them all.
    session_epoch = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = UserManager.from_queryset(UserQuerySet)()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        db_table = "users"
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                F("organization"),
                Lower("email"),
                nulls_distinct=False,
                name="users_email_unique_in_organization",
                violation_error_message="Somebody in the organization has this e-mail address already.",
            ),
            models.UniqueConstraint(
                fields=["organization", "external_id"],
                name="users_external_id_unique_in_organization",
                violation_error_message="Somebody in the organization has this external id already.",
            ),
            models.CheckConstraint(
                condition=Q(organization=None, is_staff=True, role=None)
                | Q(organization__isnull=False, is_staff=False, is_superuser=False, role__isnull=False),
                name="users_are_staff_or_members",
            ),
            models.CheckConstraint(
                condition=Q(role=None) | Q(role__in=Role.values),
                name="users_role_is_known",
            ),
        ]
        indexes = [
            # Sign-in: who bears this address, in whatever organization.
            models.Index(Lower("email"), name="users_by_email"),
            # GET /api/learners: an organization's people by name.
            models.Index(fields=["organization", "name", "id"], name="users_by_name"),
            # GET /api/learners?q=, and the admin's search: who has a word that begins like this?
            GinIndex(OF_A_PERSON, name="users_by_word"),
            # The admin's list of one role, newest first; most are learners, who are found at once without it.
            models.Index(
                fields=["role", "id"],
                condition=Q(role__in=[Role.MANAGER, Role.ADMIN, Role.AUDITOR]),
                name="users_by_role",
            ),
            # The admin's list of those who are not active any more, newest first.
            models.Index(fields=["id"], condition=Q(is_active=False), name="users_inactive"),
            # The admin's list of staff, newest first.
            models.Index(fields=["id"], condition=Q(is_staff=True), name="users_staff"),
        ]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django's hash of the password, and the epoch: what ends her sessions changes one of the two."""
        own: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        return f"{own}{self.session_epoch}"

    @property
    def member_of(self) -> UUID:
        """The organization's id; not for staff, who are members of none."""
        if self.organization_id is None:
            raise ValueError(f"{self.id} is staff, and in no organization.")
        return self.organization_id

    def caller(
        self,
        token_id: UUID | None = None,
        *,
        by_session: bool = False,
        scopes: frozenset[Scope] = EVERY_SCOPE,
    ) -> Caller:
        """Who she is to the rest of the program."""
        kind = CallerKind.STAFF if self.organization_id is None else CallerKind.MEMBER
        role = Role(self.role) if self.role else None
        return Caller(kind, self.id, self.organization_id, role, token_id, by_session, scopes)


class Team(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="teams")
    name = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = TenantQuerySet["Team"].as_manager()

    class Meta:
        db_table = "teams"
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                F("organization"),
                Lower("name"),
                name="teams_name_unique_in_organization",
                violation_error_message="The organization has a team of this name already.",
            )
        ]
        indexes = [
            # The admin's search: which name begins like this, in whatever organization?
            models.Index(Collate(Lower("name"), "C"), name="teams_by_name_prefix"),
        ]

    def __str__(self) -> str:
        return self.name


class TeamRole(models.TextChoices):
    MEMBER = "member", "Member"
    MANAGER = "manager", "Manager"


class MembershipQuerySet(models.QuerySet["Membership"]):
    def managed_by(self, user_id: UUID) -> Self:
        """Memberships (not managerships) in the teams that she manages."""
        teams = Membership.objects.filter(user_id=user_id, role=TeamRole.MANAGER).values("team_id")
        return self.filter(team_id__in=teams, role=TeamRole.MEMBER)

    def of_managers(self) -> Self:
        """Managerships of those who are told what their teams do."""
        return self.filter(role=TeamRole.MANAGER, user__is_active=True, user__role__in=[Role.MANAGER, Role.ADMIN])

    def managed(self) -> Self:
        """Memberships in teams with a manager who is told; nobody is her own."""
        others = Membership.objects.of_managers().filter(team=OuterRef("team")).exclude(user=OuterRef("user"))
        return self.filter(Exists(others), role=TeamRole.MEMBER)


class Membership(models.Model):
    """Somebody is in a team: as a member, as its manager, or (in two rows) as both."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=TeamRole, default=TeamRole.MEMBER)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        db_table = "team_members"
        ordering = ["team_id", "role", "user_id"]
        constraints = [
            models.UniqueConstraint(fields=["team", "user", "role"], name="team_members_once_per_role"),
            models.CheckConstraint(condition=Q(role__in=TeamRole.values), name="team_members_role_is_known"),
        ]
        indexes = [
            # Whose manager is she, and who are this learner's managers.
            models.Index(fields=["user", "role", "team"], name="team_members_by_user")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.team_id} as {self.role}"
