"""Shapes of the progress API, in and out."""

from typing import Any

from rest_framework import serializers

from cerply.fields import (
    MomentField,
    StrictBooleanField,
    StrictDecimalField,
    StrictIntegerField,
    StrictSerializer,
    StrictUUIDField,
    TextField,
)
from cerply.pagination import PageShape
from certificates.models import Source
from gamification.levels import Level

LARGEST_BATCH = 1000


def exactly_one(values: dict[str, Any], *names: str) -> None:
    """One of the fields and no other of them."""
    given = [name for name in names if name in values]
    if not given:
        raise serializers.ValidationError({names[0]: [f"Give {' or '.join(names)}."]})
    if len(given) > 1:
        raise serializers.ValidationError({given[1]: [f"Give {' or '.join(names)}, not both."]})


class AttemptInput(StrictSerializer):
    """One answer. Exactly one of ``correct`` and ``credit``; external ids may stand in for the three ids."""

    id = StrictUUIDField(required=False, help_text="The client's own UUID: the same attempt again is counted once.")
    learnerId = StrictUUIDField(required=False, help_text="Admins say whose it is; learners may leave it out.")
    learnerExternalId = TextField(required=False)
    trackId = StrictUUIDField(required=False)
    trackExternalId = TextField(required=False)
    itemId = StrictUUIDField(required=False)
    itemExternalId = TextField(required=False)
    correct = StrictBooleanField(required=False)
    credit = StrictDecimalField(required=False, max_digits=5, decimal_places=4, min_value=0, max_value=1)
    responseMs = StrictIntegerField(required=False, allow_null=True, min_value=0)
    occurredAt = MomentField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        exactly_one(attrs, "trackId", "trackExternalId")
        exactly_one(attrs, "itemId", "itemExternalId")
        exactly_one(attrs, "correct", "credit")
        if "learnerId" in attrs and "learnerExternalId" in attrs:
            exactly_one(attrs, "learnerId", "learnerExternalId")
        return attrs


class AttemptBatchInput(StrictSerializer):
    attempts = serializers.ListField(child=AttemptInput(), min_length=1, max_length=LARGEST_BATCH)


class ShareInput(StrictSerializer):
    id = StrictUUIDField(required=False, help_text="The client's own UUID: the same share again is counted once.")
    learnerId = StrictUUIDField(required=False, help_text="Admins say whose it is; learners may leave it out.")
    artefactId = TextField(help_text="What was shared, in the other system's words.")
    occurredAt = MomentField(required=False)


class CompletionInput(StrictSerializer):
    trackId = StrictUUIDField()


class LevelChange(serializers.Serializer[Any]):
    learnerId = serializers.UUIDField()
    trackId = serializers.UUIDField()
    trackTitle = serializers.CharField()
    previousLevel = serializers.ChoiceField(Level.choices)
    newLevel = serializers.ChoiceField(Level.choices)
    correctAttempts = serializers.IntegerField()


class AwardedBadge(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    learnerId = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    icon = serializers.CharField()
    earnedAt = MomentField()


class IssuedCertificate(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    learnerId = serializers.UUIDField()
    trackId = serializers.UUIDField()
    trackTitle = serializers.CharField()
    issuedAt = MomentField()
    verificationUrl = serializers.CharField()
    downloadUrl = serializers.CharField()


class Recorded(serializers.Serializer[Any]):
    recorded = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    levelChanges = LevelChange(many=True)
    badges = AwardedBadge(many=True)
    certificates = IssuedCertificate(many=True)


class Shared(serializers.Serializer[Any]):
    artefactId = serializers.CharField()
    shares = serializers.IntegerField(help_text="How many different artefacts she has shared.")


class Completion(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    learnerId = serializers.UUIDField()
    trackId = serializers.UUIDField()
    trackTitle = serializers.CharField()
    source = serializers.ChoiceField(Source.choices)  # type: ignore[assignment]
    completedAt = MomentField()
    certificate = IssuedCertificate(allow_null=True)


class LearnerLevel(serializers.Serializer[Any]):
    userId = serializers.UUIDField()
    trackId = serializers.UUIDField()
    trackTitle = serializers.CharField()
    level = serializers.ChoiceField(Level.choices)
    correctAttempts = serializers.IntegerField()
    nextLevel = serializers.ChoiceField(Level.choices, allow_null=True)
    attemptsToNext = serializers.IntegerField(allow_null=True)
    leveledUpAt = MomentField(allow_null=True)


class LevelPage(PageShape):
    levels = LearnerLevel(many=True)


class EarnedBadge(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    icon = serializers.CharField()
    earnedAt = MomentField()


class BadgePage(PageShape):
    badges = EarnedBadge(many=True)
    totalBadges = serializers.IntegerField(help_text="Earned ones, and those that can still be earned.")
    earned = serializers.IntegerField()
    remaining = serializers.IntegerField()


class Progress(serializers.Serializer[Any]):
    current = serializers.IntegerField()
    target = serializers.IntegerField()


class BadgeExplained(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    icon = serializers.CharField()
    earned = serializers.BooleanField()
    earnedAt = MomentField(allow_null=True)
    ruleVersion = serializers.IntegerField(help_text="Of the rule by which it was earned, or is to be earned.")
    progress = Progress()
    evidence = serializers.DictField(allow_null=True, help_text="What earned it.")
