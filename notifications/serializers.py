"""Shapes of the managers' inbox."""

from typing import Any

from rest_framework import serializers

from cerply.accounts.serializers import TimezoneField
from cerply.fields import MomentField, StrictBooleanField, StrictChoiceField, StrictIntegerField, StrictSerializer
from cerply.pagination import PageShape
from notifications.models import Frequency, NotificationType, Withheld


class InboxQuery(serializers.Serializer[Any]):
    unreadOnly = StrictChoiceField(["true", "false"], required=False)
    type = StrictChoiceField(NotificationType.choices, required=False)


class ReadInput(StrictSerializer):
    read = StrictBooleanField()


class ReadAllInput(StrictSerializer):
    before = MomentField(required=False, help_text="What arrived after it stays unread; left out, it is now.")


class CadenceInput(StrictSerializer):
    """What is left out of the last two stays as it is."""

    frequency = StrictChoiceField(Frequency.choices)
    types = serializers.ListField(child=StrictChoiceField(NotificationType.choices), max_length=len(NotificationType))
    digestHour = StrictIntegerField(required=False, min_value=0, max_value=23)
    digestWeekday = StrictIntegerField(required=False, min_value=1, max_value=7, help_text="1 is Monday.")

    def validate_types(self, types: list[str]) -> list[str]:
        if len(set(types)) != len(types):
            raise serializers.ValidationError("Name each type once.")
        return types


IGNORED = "Ignored, so that what was read can be sent back."


class PreferencesInput(CadenceInput):
    timezone = TimezoneField()
    nextDigestAt = MomentField(required=False, allow_null=True, help_text=IGNORED)
    setBy = serializers.JSONField(required=False, allow_null=True, help_text=IGNORED)
    locked = serializers.JSONField(required=False, allow_null=True, help_text=IGNORED)
    unsubscribedAt = serializers.JSONField(required=False, allow_null=True, help_text=IGNORED)
    frequencyBefore = serializers.JSONField(required=False, allow_null=True, help_text=IGNORED)
    undeliverable = serializers.JSONField(required=False, allow_null=True, help_text=IGNORED)


class PolicyInput(CadenceInput):
    locked = StrictBooleanField(required=False, default=False)


class Notification(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    learnerId = serializers.UUIDField()
    learnerName = serializers.CharField()
    type = serializers.ChoiceField(NotificationType.choices)
    content = serializers.DictField(help_text="What the message needs: `trackTitle`, `newLevel`, ….")
    read = serializers.BooleanField()
    readAt = MomentField(allow_null=True)
    sentAt = MomentField(help_text="When it entered the inbox.")


class DeliveryShape(serializers.Serializer[Any]):
    """What has become of it by e-mail."""

    state = serializers.ChoiceField(
        ["waiting", "held", "sending", "sent", "not_sent"],
        help_text="`held` for the digest at `dueAt`; `sending` again at `dueAt` where it was tried before.",
    )
    dueAt = MomentField(allow_null=True, help_text="When it is to go out; null once it is settled.")
    sentAt = MomentField(allow_null=True, help_text="When the mail server took it.")
    reason = serializers.ChoiceField(
        [*Withheld.values, "predates"], allow_null=True, help_text="Why it is not sent; null where it is, or may be."
    )
    explanation = serializers.CharField(help_text="The reason in a sentence; empty without one.", allow_blank=True)


class NotificationDetail(Notification):
    delivery = DeliveryShape()


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


class CadenceShape(serializers.Serializer[Any]):
    frequency = serializers.ChoiceField(Frequency.choices)
    types = serializers.ListField(child=serializers.ChoiceField(NotificationType.choices))
    digestHour = serializers.IntegerField(help_text="0 to 23, in the manager's time zone.")
    digestWeekday = serializers.IntegerField(help_text="Of weekly digests: 1 is Monday, 7 Sunday.")


class Preferences(CadenceShape):
    timezone = serializers.CharField()
    nextDigestAt = MomentField(allow_null=True, help_text="Null without a digest.")
    setBy = serializers.ChoiceField(["manager", "organization", "default"], help_text="Whose words hold.")
    locked = serializers.BooleanField(help_text="Whether the organization has decided for all of its managers.")
    unsubscribedAt = MomentField(
        allow_null=True, help_text="Since when she gets no e-mail, by the link in one of them; `frequency` is `off`."
    )
    frequencyBefore = serializers.ChoiceField(
        Frequency.choices, allow_null=True, help_text="What it will be again; null unless she has unsubscribed."
    )
    undeliverable = serializers.ChoiceField(
        ["bounce", "complaint"], allow_null=True, help_text="Why nothing is sent to her address."
    )


class Policy(CadenceShape):
    """What holds for managers who have said nothing; locked, for all of them."""

    locked = serializers.BooleanField()
