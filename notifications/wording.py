"""What is said of notifications: in the subject, in the first line, and line by line."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date

from notifications.models import ManagerNotification, NotificationType
from notifications.sentences import count, say

# In this order, in each mail.
ORDER = (
    NotificationType.LEVEL_UP,
    NotificationType.CERTIFICATE,
    NotificationType.BADGE,
    NotificationType.AT_RISK,
    NotificationType.EXPIRING,
)


def date(moment: datetime, language: str, zone: tzinfo) -> str:
    """The day that it is there, written out."""
    return str(format_date(moment.astimezone(zone).date(), "long", language))


def event(row: ManagerNotification, language: str, timezone: str) -> str:
    """What happened, in a sentence without a full stop; with the learner selected."""
    content: Mapping[str, Any] = row.content
    key, said = f"event.{row.type}", {"learner": row.learner.name, "track": content.get("trackTitle", "")}
    match row.type:
        case NotificationType.LEVEL_UP:
            said["level"] = say(f"level.{content['newLevel']}", language)
        case NotificationType.BADGE:
            said["badge"] = content["badgeName"]
        case NotificationType.AT_RISK:
            key = f"{key}.{content['reason']}"
        case NotificationType.EXPIRING:
            said["date"] = date(datetime.fromisoformat(content["expiresAt"]), language, ZoneInfo(timezone))
    return one_line(say(key, language, **said))


def summary(rows: Iterable[ManagerNotification], language: str) -> str:
    """``3 team members leveled up, 2 earned certificates``: of each type, how many learners."""
    learners: dict[str, set[Any]] = {}
    for row in rows:
        learners.setdefault(row.type, set()).add(row.learner_id)
    told = [type_ for type_ in ORDER if type_ in learners]
    kinds = ["summary", *["further"] * (len(told) - 1)]
    parts = [count(f"{kind}.{type_}", len(learners[type_]), language) for kind, type_ in zip(kinds, told, strict=True)]
    return say("comma", language).join(parts)


def without_repetitions(
    rows: Sequence[ManagerNotification],
) -> tuple[list[ManagerNotification], list[ManagerNotification]]:
    """The newest of those that say the same of the same learner, in the order of what happened; and the others."""
    newest = {_told(row): row for row in rows}
    kept = set(map(id, newest.values()))
    return [row for row in rows if id(row) in kept], [row for row in rows if id(row) not in kept]


def _told(row: ManagerNotification) -> tuple[Any, ...]:
    names = ("trackId", "newLevel", "badge", "certificateId", "reason")
    return (row.learner_id, row.type, *(row.content.get(name) for name in names))


def one_line(text: str) -> str:
    return " ".join(text.split())
