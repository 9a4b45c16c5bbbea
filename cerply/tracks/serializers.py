"""Shapes of the API of the material, in and out."""

from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from cerply.fields import (
    ExternalIdField,
    StrictBooleanField,
    StrictChoiceField,
    StrictIntegerField,
    StrictSerializer,
    TextField,
)
from cerply.pagination import PageShape
from cerply.tracks.models import LANGUAGE, LONGEST_TEXT, MOST_MONTHS, CertifiesFrom

LARGEST_BATCH = 1000


class Certifying(StrictSerializer):
    """What certificates of a track say, and how long they last."""

    description = TextField(
        required=False, allow_blank=True, multiline=True, max_length=LONGEST_TEXT, help_text="Certificates bear it."
    )
    criteria = TextField(
        required=False,
        allow_blank=True,
        multiline=True,
        max_length=LONGEST_TEXT,
        help_text="What one must do for the certificate; empty: answer each item correctly.",
    )
    language = TextField(
        required=False,
        max_length=16,
        validators=[RegexValidator(LANGUAGE, "Give a language as BCP 47 writes it: en, pt-BR, zh-Hans.")],
        help_text="In which it is written, as BCP 47: `en` (the default), `pt-BR`, `zh-Hans`.",
    )
    certifiesFrom = StrictChoiceField(CertifiesFrom.choices, required=False, help_text="`system` by default.")
    validMonths = StrictIntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=MOST_MONTHS,
        help_text="How long certificates that are issued from now on last; null: they do not expire.",
    )


class TrackInput(Certifying):
    externalId = ExternalIdField(
        required=False, allow_null=True, help_text="The other system's key; a known one makes this an update."
    )
    title = TextField(required=False, help_text="Needed for a new one.")


class TrackPatch(Certifying):
    externalId = ExternalIdField(required=False, allow_null=True)
    title = TextField(required=False)


class ItemInput(StrictSerializer):
    externalId = ExternalIdField(required=False, allow_null=True, help_text="A known one makes this an update.")
    title = TextField(required=False, help_text="Needed for a new one.")
    position = StrictIntegerField(required=False, min_value=0, help_text="Left out, it comes after the others.")


class ItemsInput(StrictSerializer):
    items = serializers.ListField(child=ItemInput(), min_length=1, max_length=LARGEST_BATCH)


class ItemPatch(StrictSerializer):
    externalId = ExternalIdField(required=False, allow_null=True)
    title = TextField(required=False)
    position = StrictIntegerField(required=False, min_value=0)
    retired = StrictBooleanField(required=False, help_text="A retired item is not needed to complete the track.")


class TrackRow(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    externalId = serializers.CharField(allow_null=True)
    title = serializers.CharField()
    itemCount = serializers.IntegerField(help_text="Retired items are not counted.")


class TrackPage(PageShape):
    tracks = TrackRow(many=True)


class Item(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    externalId = serializers.CharField(allow_null=True)
    title = serializers.CharField()


class Track(TrackRow):
    description = serializers.CharField()
    criteria = serializers.CharField(help_text="Empty: answer each item correctly.")
    language = serializers.CharField()
    certifiesFrom = serializers.ChoiceField(CertifiesFrom.choices)
    validMonths = serializers.IntegerField(allow_null=True, help_text="Null: certificates do not expire.")
    items = Item(many=True)


class SavedItem(Item):
    position = serializers.IntegerField()
    retired = serializers.BooleanField()


class ItemsSaved(serializers.Serializer[Any]):
    items = SavedItem(many=True)
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
