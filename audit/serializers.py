"""The shapes of the audit on the wire."""

from typing import Any

from rest_framework import serializers

from audit.models import EventType
from cerply.fields import MomentField, StrictChoiceField, StrictUUIDField

FORMATS = {"json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv"}


class SelectionQuery(serializers.Serializer[Any]):
    """Which events are asked for."""

    organization = StrictUUIDField(required=False)
    type = StrictChoiceField(EventType.choices, required=False)
    actor = StrictUUIDField(required=False)
    target = StrictUUIDField(required=False)

    def get_fields(self) -> dict[str, Any]:
        """``from`` is a word of Python's."""
        return super().get_fields() | {"from": MomentField(required=False), "to": MomentField(required=False)}


class EventsQuery(SelectionQuery):
    cursor = StrictUUIDField(required=False)
    order = StrictChoiceField([("newest", "newest"), ("oldest", "oldest")], default="newest")
    format = StrictChoiceField([(name, name) for name in FORMATS], required=False)


class ChainQuery(serializers.Serializer[Any]):
    organization = StrictUUIDField(required=False)


class Subject(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="Of what it is about; empty where it is about nothing of ours.")
    id = serializers.UUIDField(allow_null=True)


class EventActor(serializers.Serializer[Any]):
    kind = serializers.CharField()
    id = serializers.UUIDField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        """Serializers have a ``label`` of their own."""
        return super().get_fields() | {"label": serializers.CharField(help_text="Her role then, or the name of a job.")}


class AuditEvent(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    organizationId = serializers.UUIDField(allow_null=True)
    type = serializers.CharField()
    subject = Subject()
    actor = EventActor()
    requestId = serializers.CharField()
    metadata = serializers.DictField()
    occurredAt = MomentField()


class AuditEventPage(serializers.Serializer[Any]):
    events = AuditEvent(many=True)
    limit = serializers.IntegerField()
    next = serializers.UUIDField(allow_null=True, help_text="The cursor of the next page; null on the last one.")


class HeadStatement(serializers.Serializer[Any]):
    """What is signed: the canonical form (RFC 8785) of this object."""

    kind = serializers.CharField()
    organizationId = serializers.UUIDField(allow_null=True)
    number = serializers.IntegerField()
    week = serializers.DateField()
    size = serializers.IntegerField()
    total = serializers.IntegerField()
    firstId = serializers.UUIDField()
    latestAt = MomentField()
    previous = serializers.CharField()
    sealedAt = MomentField()
    keyId = serializers.UUIDField()

    def get_fields(self) -> dict[str, Any]:
        """Serializers have a ``root`` of their own."""
        return super().get_fields() | {"root": serializers.CharField(help_text="Of the Merkle tree (RFC 9162).")}


class AuditHead(serializers.Serializer[Any]):
    head = serializers.CharField(help_text="`ORGANIZATION/NUMBER/HASH`: keep this.")
    statement = HeadStatement()
    hash = serializers.CharField()
    signature = serializers.CharField()


class AuditKey(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    publicKey = serializers.CharField(help_text="Ed25519, 32 bytes in hexadecimal.")
    createdAt = MomentField()
    retiredAt = MomentField(allow_null=True)


class AuditHeadPage(serializers.Serializer[Any]):
    heads = AuditHead(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()
    keys = AuditKey(many=True)
