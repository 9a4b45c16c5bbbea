"""Levels of a learner in a track, by the sum of her credit."""

from decimal import Decimal

from django.db import models


class Level(models.TextChoices):
    NOVICE = "novice", "Novice"
    LEARNER = "learner", "Learner"
    PRACTITIONER = "practitioner", "Practitioner"
    EXPERT = "expert", "Expert"
    MASTER = "master", "Master"


# The least number of correct answers of each level, lowest first.
THRESHOLDS = {
    Level.NOVICE: 0,
    Level.LEARNER: 21,
    Level.PRACTITIONER: 51,
    Level.EXPERT: 101,
    Level.MASTER: 201,
}
ORDER = list(THRESHOLDS)


def level_of(credit: Decimal) -> Level:
    """The level that a sum of credit gives; fractions are rounded down."""
    return next(level for level in reversed(ORDER) if credit >= THRESHOLDS[level])


def level_after(level: Level) -> Level | None:
    """The next level; None at the top."""
    following = ORDER.index(level) + 1
    return ORDER[following] if following < len(ORDER) else None


def is_at_least(level: Level, wanted: Level) -> bool:
    return ORDER.index(level) >= ORDER.index(wanted)
