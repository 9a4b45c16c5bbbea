"""Shapes of the API of people, in and out."""

import re
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import validate_email
from rest_framework import serializers

from cerply.accounts.models import TeamRole, validate_timezone
from cerply.fields import (
    ExternalIdField,
    MomentField,
    StrictBooleanField,
    StrictChoiceField,
    StrictSerializer,
    StrictUUIDField,
    TextField,
)
from cerply.pagination import PageShape
from cerply.permissions import Role, Scope

LARGEST_BATCH = 1000
MOST_PEOPLE_OF_A_TEAM = 1000
LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", re.ASCII)


class EmailField(TextField):
    """An address of at most 254 characters."""

    default_error_messages = {"invalid_email": "Give an e-mail address."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            validate_email(text)
        except DjangoValidationError:
            self.fail("invalid_email")
        return text


class LocaleField(TextField):
    """A language tag of BCP 47: ``en``, ``pt-BR``."""

    default_error_messages = {"invalid_locale": "Give a language tag, like en or pt-BR."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=16, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not LOCALE.fullmatch(text):
            self.fail("invalid_locale")
        return text


class TimezoneField(TextField):
    """A time zone of the IANA database."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, validators=[validate_timezone], **kwargs)


# -- signing in --


class SignInInput(StrictSerializer):
    email = TextField(max_length=254)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)
    organization = StrictUUIDField(required=False, help_text="Where one address and password belong to two people.")


class PasswordLinkInput(StrictSerializer):
    email = TextField(max_length=254)


class PasswordLinkRequested(serializers.Serializer[Any]):
    ok = serializers.BooleanField()


class OrganizationName(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class Me(serializers.Serializer[Any]):
    id = serializers.UUIDField(allow_null=True, help_text="Null for the admin token.")
    name = serializers.CharField()
    email = serializers.CharField(allow_null=True)
    role = serializers.ChoiceField(Role.choices, allow_null=True, help_text="Null for staff and the admin token.")
    organization = OrganizationName(allow_null=True)
    staff = serializers.BooleanField(help_text="Reads everything: platform staff, and the admin token.")
    locale = serializers.CharField()
    timezone = serializers.CharField()


# -- tokens --


class TokenInput(StrictSerializer):
    name = TextField()
    expiresAt = MomentField(required=False, help_text="At most a year ahead; left out, it is 90 days.")
    scopes = serializers.ListField(
        child=StrictChoiceField(Scope.choices),
        required=False,
        min_length=1,
        max_length=len(Scope),
        help_text="What it may be used for; left out, for all that the caller's own credential may.",
    )


class Token(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices))
    createdAt = MomentField()
    expiresAt = MomentField()
    lastUsedAt = MomentField(allow_null=True, help_text="To the minute.")
    revokedAt = MomentField(allow_null=True)


class CreatedToken(Token):
    token = serializers.CharField(help_text="The secret. It is shown this once.")


class TokenPage(PageShape):
    tokens = Token(many=True)


# -- learners --


class LearnerInput(StrictSerializer):
    externalId = ExternalIdField(
        required=False, allow_null=True, help_text="The other system's key; a known one makes this an update."
    )
    name = TextField()
    email = EmailField()
    role = StrictChoiceField(Role.choices, required=False, help_text="Learner by default. Not changed by an update.")
    password = serializers.CharField(max_length=1000, trim_whitespace=False, required=False)
    locale = LocaleField(required=False)
    timezone = TimezoneField(required=False)


class LearnerBatchInput(StrictSerializer):
    learners = serializers.ListField(child=serializers.JSONField(), min_length=1, max_length=LARGEST_BATCH)


class LearnerBatchShape(serializers.Serializer[Any]):
    """What the document shows of a batch: its rows are checked one by one, for some are updates."""

    learners = serializers.ListField(child=LearnerInput(), min_length=1, max_length=LARGEST_BATCH)


class LearnerUpdateInput(StrictSerializer):
    """A known external id: fields left out stay."""

    externalId = ExternalIdField()
    name = TextField(required=False)
    email = EmailField(required=False)
    role = StrictChoiceField(Role.choices, required=False)
    password = serializers.CharField(max_length=1000, trim_whitespace=False, required=False)
    locale = LocaleField(required=False)
    timezone = TimezoneField(required=False)


class LearnerPatch(StrictSerializer):
    externalId = ExternalIdField(required=False, allow_null=True)
    name = TextField(required=False)
    email = EmailField(required=False)
    role = StrictChoiceField(Role.choices, required=False)
    active = StrictBooleanField(required=False, help_text="False ends sessions and tokens, and keeps every record.")
    locale = LocaleField(required=False)
    timezone = TimezoneField(required=False)


class LearnerQuery(serializers.Serializer[Any]):
    q = serializers.CharField(required=False, max_length=255, allow_blank=True)
    team = StrictUUIDField(required=False)


class TeamName(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class Learner(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    externalId = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    email = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)
    active = serializers.BooleanField()
    locale = serializers.CharField()
    timezone = serializers.CharField()
    teams = TeamName(many=True)


class LearnerPage(PageShape):
    learners = Learner(many=True)


class LearnersSaved(serializers.Serializer[Any]):
    learners = Learner(many=True)
    created = serializers.IntegerField()
    updated = serializers.IntegerField()


# -- teams --


class TeamInput(StrictSerializer):
    name = TextField()
    managerIds = serializers.ListField(child=StrictUUIDField(), required=False, max_length=MOST_PEOPLE_OF_A_TEAM)
    memberIds = serializers.ListField(child=StrictUUIDField(), required=False, max_length=MOST_PEOPLE_OF_A_TEAM)


class TeamPatch(TeamInput):
    name = TextField(required=False)


class MemberInput(StrictSerializer):
    role = StrictChoiceField(TeamRole.choices, required=False)


class Person(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class Team(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    managers = Person(many=True)
    members = Person(many=True)
    createdAt = MomentField()


class TeamPage(PageShape):
    teams = Team(many=True)
