"""Pages of a collection: ``{"<collection>": […], "total": n, "limit": n, "offset": n}``."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet
from django.http import QueryDict
from rest_framework import serializers

from cerply.errors import Invalid

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 200
LARGEST_OFFSET = 2**31 - 1
WHOLE_NUMBER = re.compile(r"[0-9]{1,4000}", re.ASCII)


class PageShape(serializers.Serializer[Any]):
    """What each page has beside its collection."""

    total = serializers.IntegerField(help_text="On all pages.")
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a total order are asked for."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0

    @classmethod
    def of(cls, query: QueryDict) -> "Page":
        problems: dict[str, list[str]] = {}
        limit = _whole_number(query, "limit", DEFAULT_LIMIT, 1, None, problems)
        offset = _whole_number(query, "offset", 0, 0, LARGEST_OFFSET, problems)
        if problems:
            raise Invalid(problems)
        return cls(min(limit, LARGEST_LIMIT), offset)

    def body(self, collection: str, rows: Sequence[Any], total: int, **more: Any) -> dict[str, Any]:
        return {collection: rows, "total": total, "limit": self.limit, "offset": self.offset, **more}

    def of_queryset[M: Model](
        self, collection: str, queryset: QuerySet[M], represent: Callable[[M], dict[str, Any]], **more: Any
    ) -> dict[str, Any]:
        """One count and one query; ``queryset`` has a total order."""
        total = queryset.count()
        found = queryset[self.offset : self.offset + self.limit] if self.offset < total else queryset.none()
        return self.body(collection, [represent(row) for row in found], total, **more)


def _whole_number(
    query: QueryDict, name: str, default: int, least: int, most: int | None, problems: dict[str, list[str]]
) -> int:
    text = query.get(name)
    if text is None:
        return default
    number = int(text) if WHOLE_NUMBER.fullmatch(text) else -1
    if number < least or (most is not None and number > most):
        problems[name] = [f"Give a whole number from {least}{f' to {most}' if most is not None else ''}."]
        return default
    return number
