"""To whom e-mail goes, and what stands in its way. Read anew each time: when it is collected, and when it is sent."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from cerply.accounts.models import User
from cerply.permissions import Role
from notifications.models import Frequency, SuppressedAddress, Wish, Withheld
from notifications.preferring import people_with_wishes
from ops.features import Feature, is_on

MANAGING = frozenset({Role.MANAGER, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Recipient:
    user: User
    wish: Wish
    # Why nothing whatever may be sent to her now.
    hindrance: Withheld | None

    def refusal_of(self, type_: str) -> Withheld | None:
        """Why nothing of this type may be sent to her now."""
        if self.hindrance:
            return self.hindrance
        return None if type_ in self.wish.types else Withheld.PREFERENCE


def recipients(user_ids: Collection[UUID]) -> dict[UUID, Recipient]:
    """A few queries, whatever their number, and one for each organization."""
    people = list(people_with_wishes().filter(id__in=user_ids))
    listening = {
        organization_id: is_on(Feature.MANAGER_NOTIFICATIONS, organization_id)
        for organization_id in {user.organization_id for user in people}
        if organization_id
    }
    addresses = {user.email.lower() for user in people}
    suppressed = dict(
        SuppressedAddress.objects.holding().filter(address__in=addresses).values_list("address", "reason")
    )
    found = {}
    for user in people:
        wish = Wish.of(user)
        listens = user.organization_id is not None and listening[user.organization_id]
        found[user.id] = Recipient(user, wish, _hindrance(user, wish, listens, suppressed.get(user.email.lower())))
    return found


def _hindrance(user: User, wish: Wish, listens: bool, suppressed: str | None) -> Withheld | None:
    closed = user.organization is None or user.organization.closed_at is not None
    if not user.is_active or closed or user.role not in MANAGING:
        return Withheld.RECIPIENT_GONE
    if not listens:
        return Withheld.FEATURE_OFF
    if wish.unsubscribed_at:
        return Withheld.UNSUBSCRIBED
    if wish.frequency == Frequency.OFF:
        return Withheld.PREFERENCE
    return Withheld(suppressed) if suppressed else None
