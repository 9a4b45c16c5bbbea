"""Shapes of the API of the material, in and out."""

from typing import Any

from rest_framework import serializers

from cerply.fields import (
    ExternalIdField,
    StrictBooleanField,
    StrictChoiceField,
    StrictIntegerField,
    StrictSerializer,
    TextField,
)
from cerply.tracks.models import CertifiesFrom

LARGEST_BATCH = 1000


class TrackInput(StrictSerializer):
    externalId = ExternalIdField(
        required=False, allow_null=True, help_text="The other system's key; a known one makes this an update."
    )
    title = TextField(required=False, help_text="Needed for a new one.")
    certifiesFrom = StrictChoiceField(CertifiesFrom.choices, required=False, help_text="`system` by default.")


class TrackPatch(StrictSerializer):
    externalId = ExternalIdField(required=False, allow_null=True)
    title = TextField(required=False)
    certifiesFrom = StrictChoiceField(CertifiesFrom.choices, required=False)


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


class TrackPage(serializers.Serializer[Any]):
    tracks = TrackRow(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class Item(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    externalId = serializers.CharField(allow_null=True)
    title = serializers.CharField()


class Track(TrackRow):
    certifiesFrom = serializers.ChoiceField(CertifiesFrom.choices)
    items = Item(many=True)


class SavedItem(Item):
    position = serializers.IntegerField()
    retired = serializers.BooleanField()


class ItemsSaved(serializers.Serializer[Any]):
    items = SavedItem(many=True)
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
