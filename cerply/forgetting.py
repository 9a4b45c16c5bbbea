"""Whose names are to be removed from what is kept, and how they are taken out of texts."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

# What stands in a sentence where a name was.
REMOVED = "[…]"


@dataclass(frozen=True)
class Forgotten:
    """A learner, the names that she bears or bore, and until when what names her is meant.

    ``ids`` are hers and those of her certificates: what speaks of one of them speaks of her.
    """

    learner_id: UUID
    names: Collection[str]
    until: datetime
    reason: str
    ids: Collection[UUID] = ()

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # The longest first, or a name that contains another would leave its rest.
        names = sorted(filter(None, self.names), key=len, reverse=True)
        return re.compile("|".join(map(_word, names)) or r"(?!)")

    def out_of(self, text: str) -> str:
        """The text without her names; empty where it was nothing else."""
        return "" if text in self.names else self._pattern.sub(REMOVED, text)

    def out_of_json(self, value: Any) -> Any:
        """The same for each text in it; keys stay."""
        if isinstance(value, str):
            return self.out_of(value)
        if isinstance(value, list):
            return [self.out_of_json(each) for each in value]
        if isinstance(value, dict):
            return {key: self.out_of_json(each) for key, each in value.items()}
        return value


def _word(name: str) -> str:
    """Not within a longer word, in scripts that have capital letters; others write without spaces."""
    return rf"(?<!\w){re.escape(name)}(?!\w)" if name.lower() != name.upper() else re.escape(name)
