"""Shapes of the progress API, in and out."""

from typing import Any

from rest_framework import serializers

from cerply.fields import (
    MomentField,
    StrictBooleanField,
    StrictChoiceField,
    StrictDecimalField,
    StrictIntegerField,
    StrictSerializer,
    StrictUUIDField,
    TextField,
)
from cerply.pagination import PageShape
from certificates.models import Source
from gamification.levels import Level
from gamification.models.at_risk import MOST_DAYS, AtRiskReason
from gamification.models.progress import REMEMBERED

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


class AtRiskQuery(serializers.Serializer[Any]):
    reason = StrictChoiceField(AtRiskReason.choices, required=False)


class AtRisk(serializers.Serializer[Any]):
    """A learner in a track; who is at risk for both reasons is there twice."""

    id = serializers.UUIDField()
    learnerId = serializers.UUIDField()
    learnerName = serializers.CharField()
    trackId = serializers.UUIDField()
    trackTitle = serializers.CharField()
    reason = serializers.ChoiceField(AtRiskReason.choices)
    since = MomentField(help_text="The answer with which it was found to be too low; the end of the days of silence.")
    foundAt = MomentField(help_text="The daily look that found it.")
    lastAnswerAt = MomentField()
    share = serializers.FloatField(allow_null=True, help_text="Percent of credit, rounded down; null of silence.")
    answers = serializers.IntegerField(allow_null=True, help_text="Over so many answers; null of silence.")
    threshold = serializers.IntegerField(allow_null=True, help_text="At risk below so many percent; null of silence.")
    days = serializers.IntegerField(allow_null=True, help_text="Of silence, whole ones; null of comprehension.")


class AtRiskPage(PageShape):
    atRisk = AtRisk(many=True)


class AtRiskPolicyInput(StrictSerializer):
    """All of it is said each time."""

    comprehension = StrictBooleanField(help_text="Whether comprehension is looked at.")
    share = StrictIntegerField(min_value=1, max_value=100, help_text="At risk below so many percent of credit.")
    answers = StrictIntegerField(
        min_value=1, max_value=REMEMBERED, help_text="Over so many of her latest answers in the track."
    )
    leastAnswers = StrictIntegerField(
        min_value=1, max_value=REMEMBERED, help_text="Who has given fewer is not judged; at most `answers`."
    )
    silence = StrictBooleanField(help_text="Whether silence is looked at.")
    days = StrictIntegerField(min_value=1, max_value=MOST_DAYS, help_text="Of silence, until she is at risk.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["leastAnswers"] > attrs["answers"]:
            raise serializers.ValidationError({"leastAnswers": ["Give at most as many as are looked at (answers)."]})
        return attrs


class AtRiskPolicy(serializers.Serializer[Any]):
    comprehension = serializers.BooleanField()
    share = serializers.IntegerField()
    answers = serializers.IntegerField()
    leastAnswers = serializers.IntegerField()
    silence = serializers.BooleanField()
    days = serializers.IntegerField()
