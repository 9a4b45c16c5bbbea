"""What the replay knows of each manager, told by itself and not by the program: to judge the books by."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said: a manager for herself, an organization for all of its managers."""

    frequency: str
    types: frozenset[str]
    hour: int = 8
    weekday: int = 1


@dataclass(slots=True)
class House:
    """An organization."""

    id: UUID
    said: Said | None = None
    locked: bool = False
    listens: bool = True


@dataclass(frozen=True, slots=True)
class Holds:
    """What holds for a manager; ``refusal`` is why she gets nothing whatever."""

    said: Said
    timezone: str
    refusal: str

    def refusal_of(self, type_: str) -> str:
        return self.refusal or ("" if type_ in self.said.types else "preference")

    def first_end_after(self, moment: datetime) -> datetime:
        """Of a digest's window: looked for among all hours, and not computed."""
        hour = moment.replace(minute=0, second=0, microsecond=0)
        quarters = (hour + timedelta(minutes=15) * number for number in range(8 * 24 * 4 + 16))
        return next(end for end in quarters if end > moment and self.is_end(end))

    def is_end(self, moment: datetime) -> bool:
        zone = ZoneInfo(self.timezone)
        local = moment.astimezone(zone)
        if self.said.frequency == "weekly" and local.isoweekday() != self.said.weekday:
            return False
        if local.time() == time(self.said.hour):
            # Of an hour that comes twice, the first.
            return not local.fold
        wanted = datetime.combine(local.date(), time(self.said.hour), zone).astimezone(UTC)
        # An hour that is left out is taken for the one after it.
        return wanted == moment and wanted.astimezone(zone).time() != time(self.said.hour)


@dataclass(slots=True)
class Person:
    """A manager, and what has held for her since when; a change that was made while workers ran is not sure then."""

    id: UUID
    email: str
    house: House
    timezone: str
    own: Said | None = None
    own_timezone: str = ""
    is_manager: bool = True
    unsubscribed: bool = False
    history: list[tuple[int, datetime, bool, Holds]] = field(default_factory=list)

    def holds(self) -> Holds:
        said = (self.house.said if self.house.locked else self.own or self.house.said) or EVERYTHING
        return Holds(said, self.own_timezone or self.timezone, self._refusal(said))

    def _refusal(self, said: Said) -> str:
        if not self.is_manager:
            return "recipient_gone"
        if not self.house.listens:
            return "feature_off"
        if self.unsubscribed:
            return "unsubscribed"
        return "preference" if said.frequency == "off" else ""

    def note(self, step: int, moment: datetime, *, sure: bool = True) -> None:
        self.history.append((step, moment, sure, self.holds()))

    def held(self, step: int) -> list[Holds]:
        """What the workers of this step may have seen."""
        seen: list[Holds] = []
        for at, _, sure, holds in self.history:
            if at > step:
                break
            if at < step or sure:
                seen = [holds]
            else:
                seen.append(holds)
        return seen

    def changes(self, beginning: datetime, ending: datetime) -> Iterator[datetime]:
        """From when on they count: what was said while workers ran, for those who come after them."""
        for _, moment, sure, _ in self.history:
            if beginning <= moment <= ending:
                yield moment if sure else moment + timedelta(seconds=2)


EVERYTHING = Said("immediate", frozenset({"level_up", "badge", "certificate", "at_risk", "expiring"}))
