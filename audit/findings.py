"""What a verification finds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

MOST_KEPT = 1000


class Kind(StrEnum):
    """What is wrong; and, from LATE on, what somebody should know though it may be right."""

    CHANGED = "changed"
    REMOVED = "removed"
    SLIPPED_IN = "slipped in"
    CHAIN = "chain"
    KEY = "key"
    HEAD = "head"
    LATE = "late"
    PURGED = "purged"
    WAITING = "waiting"
    OFF = "off"


@dataclass(slots=True)
class Report:
    """Counts everything, and keeps the first of what it found in words."""

    segments: int = 0
    events: int = 0
    waiting: int = 0
    erased: int = 0
    problems: Counter[Kind] = field(default_factory=Counter)
    remarks: Counter[Kind] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)

    def add(self, kind: Kind, text: str) -> None:
        self.problems[kind] += 1
        self._keep(f"{kind}: {text}")

    def remark(self, kind: Kind, text: str) -> None:
        self.remarks[kind] += 1
        self._keep(f"remark ({kind}): {text}")

    def found(self, kind: Kind) -> bool:
        return bool(self.problems[kind])

    @property
    def is_good(self) -> bool:
        return not self.problems

    @property
    def summary(self) -> str:
        looked = f"Looked through {self.segments} segments with {self.events} events"
        more = f"{self.waiting} events wait to be sealed, {self.erased} personal fields are erased"
        return f"{looked}; {more}. {_counted(self.problems, 'problem')}; {_counted(self.remarks, 'remark')}."

    def _keep(self, text: str) -> None:
        if len(self.said) < MOST_KEPT:
            self.said.append(text)


def _counted(found: Counter[Kind], what: str) -> str:
    kinds: Sequence[str] = [f"{kind} {number}" for kind, number in sorted(found.items())]
    return f"{found.total()} {what}s" + (f" ({', '.join(kinds)})" if kinds else "")
