"""How many are in an inbox, and how many of them are unread.

The unread ones have an index of their own, in which nothing else is: to count them costs the same whatever has been
read before. A page asks for that number every few seconds; the others are counted when the inbox itself is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from django.db.models import Count

from cerply.permissions import Caller
from notifications.models import ManagerNotification


def unread_of(caller: Caller) -> int:
    return ManagerNotification.objects.inbox_of(caller).unread().count()


@dataclass
class Counts:
    """Of one inbox; each number is asked for when it is wanted, and once."""

    caller: Caller
    _found: dict[tuple[str | None, bool], int] = field(default_factory=dict)

    @property
    def unread(self) -> int:
        return self.of(None, unread_only=True)

    def of(self, type_: str | None, *, unread_only: bool) -> int:
        """How many there are, as filtered."""
        if (type_, unread_only) not in self._found:
            rows = ManagerNotification.objects.inbox_of(self.caller)
            rows = rows.unread() if unread_only else rows
            self._found[type_, unread_only] = (rows.filter(type=type_) if type_ else rows).count()
        return self._found[type_, unread_only]

    @cached_property
    def by_type(self) -> Mapping[str, int]:
        """Read and unread, of the types that there are."""
        rows = ManagerNotification.objects.inbox_of(self.caller).order_by()
        return dict(rows.values_list("type").annotate(Count("id")))
