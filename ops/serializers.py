"""The shapes of the operational answers, as the OpenAPI document shows them."""

from typing import Any

from rest_framework import serializers

from audit.models import Kpi
from ops.features import Feature, Reason


def camel(name: str) -> str:
    """``manager_notifications`` on the wire is ``managerNotifications``."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class HealthSerializer(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    version = serializers.CharField()


class LiveSerializer(serializers.Serializer[Any]):
    ok = serializers.BooleanField()


class WorkerSerializer(serializers.Serializer[Any]):
    ageSeconds = serializers.FloatField(
        allow_null=True, help_text="Since the job worker's last sign of life; null when there was none."
    )


class AuditStateSerializer(serializers.Serializer[Any]):
    verifiedAt = serializers.DateTimeField(allow_null=True, help_text="When the audit was last looked through.")
    problems = serializers.IntegerField(allow_null=True, help_text="How many were found then.")


class ReadySerializer(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    database = serializers.BooleanField()
    storage = serializers.BooleanField()
    worker = WorkerSerializer()
    audit = AuditStateSerializer()


class VersionSerializer(serializers.Serializer[Any]):
    version = serializers.CharField()
    revision = serializers.CharField()
    created = serializers.CharField()
    tag = serializers.CharField()


class KpiTotalsSerializer(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {kpi.value: serializers.IntegerField(min_value=0) for kpi in Kpi}


class KpisSerializer(serializers.Serializer[Any]):
    epic7 = KpiTotalsSerializer()
    generated_at = serializers.DateTimeField()


class DecisionSerializer(serializers.Serializer[Any]):
    on = serializers.BooleanField()
    reason = serializers.ChoiceField(
        choices=[reason.value for reason in Reason], help_text="Which decision decided, in this order."
    )


class FeaturesSerializer(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {camel(feature.value): DecisionSerializer() for feature in Feature}


class FlagsSerializer(serializers.Serializer[Any]):
    features = FeaturesSerializer()
