"""Shapes of the managers' inbox."""

from typing import Any

from rest_framework import serializers

from cerply.accounts.serializers import TimezoneField
from cerply.fields import MomentField, StrictBooleanField, StrictChoiceField, StrictSerializer
from cerply.pagination import PageShape
from notifications.models import Frequency, NotificationType


class InboxQuery(serializers.Serializer[Any]):
    unreadOnly = StrictChoiceField(["true", "false"], required=False)
    type = StrictChoiceField(NotificationType.choices, required=False)


class ReadInput(StrictSerializer):
    read = StrictBooleanField()


class ReadAllInput(StrictSerializer):
    before = MomentField(required=False, help_text="What arrived after it stays unread; left out, it is now.")


class PreferencesInput(StrictSerializer):
    frequency = StrictChoiceField(Frequency.choices)
    types = serializers.ListField(child=StrictChoiceField(NotificationType.choices), max_length=len(NotificationType))
    timezone = TimezoneField()
    nextDigestAt = MomentField(
        required=False, allow_null=True, help_text="Ignored, so that what was read can be sent back."
    )

    def validate_types(self, types: list[str]) -> list[str]:
        if len(set(types)) != len(types):
            raise serializers.ValidationError("Name each type once.")
        return types


class Notification(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    learnerId = serializers.UUIDField()
    learnerName = serializers.CharField()
    type = serializers.ChoiceField(NotificationType.choices)
    content = serializers.DictField(help_text="What the message needs: `trackTitle`, `newLevel`, ….")
    read = serializers.BooleanField()
    readAt = MomentField(allow_null=True)
    sentAt = MomentField(help_text="When it entered the inbox.")


class NotificationPage(PageShape):
    notifications = Notification(many=True)
    unreadCount = serializers.IntegerField(help_text="Of all, whatever the filter.")


class UnreadCount(serializers.Serializer[Any]):
    unread = serializers.IntegerField()


class ReadState(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    read = serializers.BooleanField()
    readAt = MomentField(allow_null=True)


class MarkedRead(serializers.Serializer[Any]):
    updated = serializers.IntegerField()


class Preferences(serializers.Serializer[Any]):
    frequency = serializers.ChoiceField(Frequency.choices)
    types = serializers.ListField(child=serializers.ChoiceField(NotificationType.choices))
    timezone = serializers.CharField()
    nextDigestAt = MomentField(allow_null=True, help_text="Null without a digest.")
