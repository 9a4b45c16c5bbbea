"""Shapes of endpoints and deliveries."""

from typing import Any

from rest_framework import serializers

from cerply.fields import MomentField, StrictBooleanField, StrictChoiceField, StrictSerializer, TextField
from cerply.pagination import PageShape
from notifications.models import DisabledReason, EndpointState, WebhookEvent
from notifications.webhooks.addresses import LONGEST_URL
from ops.outbox import OutboxState

TOLD = [(event.value, event.label) for event in WebhookEvent if event is not WebhookEvent.TEST]
SHOWN_STATES = [(state.value, state.label) for state in EndpointState if state is not EndpointState.DELETED]


class EventTypesField(serializers.ListField):
    """Each once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=StrictChoiceField(TOLD), max_length=len(TOLD), **kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        events: list[Any] = super().to_internal_value(data)
        if len(set(events)) != len(events):
            raise serializers.ValidationError("Name each event type once.")
        return events


class WebhookInput(StrictSerializer):
    url = TextField(max_length=LONGEST_URL, help_text="https, to a public address.")
    eventTypes = EventTypesField(required=False, help_text="Empty or left out: all, also those to come.")


class WebhookPatch(StrictSerializer):
    url = TextField(max_length=LONGEST_URL, required=False)
    eventTypes = EventTypesField(required=False, help_text="Empty: all, also those to come.")
    active = StrictBooleanField(required=False, help_text="False: nothing is sent, and what comes up is dropped.")


class RotationInput(StrictSerializer):
    atOnce = StrictBooleanField(required=False, help_text="The former secret signs no more; else it does for a day.")


class DeliveryQuery(serializers.Serializer[Any]):
    state = StrictChoiceField(OutboxState.choices, required=False)


class Webhook(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    url = serializers.CharField()
    eventTypes = serializers.ListField(child=serializers.ChoiceField(TOLD), help_text="Empty: all.")
    state = serializers.ChoiceField(SHOWN_STATES)
    disabledAt = MomentField(allow_null=True)
    disabledReason = serializers.ChoiceField(DisabledReason.choices, allow_null=True)
    failingSince = MomentField(allow_null=True, help_text="Nothing was taken since then; after a day it is disabled.")
    formerSecretUntil = MomentField(allow_null=True, help_text="Until then the former secret signs as well.")
    createdAt = MomentField()


class WebhookWithSecret(Webhook):
    secret = serializers.CharField(help_text="`whsec_…`, shown this once.")


class WebhookPage(PageShape):
    webhooks = Webhook(many=True)


class WebhookDelivery(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="The `webhook-id`.")
    eventType = serializers.ChoiceField(WebhookEvent.choices)
    state = serializers.ChoiceField(OutboxState.choices)
    tries = serializers.IntegerField()
    statusCode = serializers.IntegerField(allow_null=True, help_text="Of the last answer.")
    error = serializers.CharField(allow_blank=True, help_text="Why it was not taken, or not sent.")
    createdAt = MomentField()
    dueAt = MomentField(allow_null=True, help_text="When it is tried next, or later.")
    finishedAt = MomentField(allow_null=True)


class WebhookDeliveryPage(PageShape):
    deliveries = WebhookDelivery(many=True)
