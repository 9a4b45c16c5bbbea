"""How managers want to be told by e-mail: what each has said, and what her organization says for all."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Q

from cerply import clock
from cerply.accounts.models import Organization, User, validate_timezone
from cerply.tenancy import TenantQuerySet
from notifications.models.inbox import NotificationType


class Frequency(models.TextChoices):
    IMMEDIATE = "immediate", "Immediately"
    DAILY = "daily", "Daily"
    WEEKLY = "weekly", "Weekly"
    OFF = "off", "Off"


class Weekday(models.IntegerChoices):
    """As ISO 8601 counts them."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7


DIGEST_HOUR = 8
LINK_KEY_LENGTH = 32


def every_type() -> list[str]:
    return list(NotificationType.values)


def new_link_key() -> bytes:
    return secrets.token_bytes(LINK_KEY_LENGTH)


class Cadence(models.Model):
    """When e-mail goes out, and about what. Digests come at a full hour, weekly ones on one day, in her time zone."""

    frequency = models.CharField(max_length=16, choices=Frequency, default=Frequency.IMMEDIATE)
    types = models.JSONField(default=every_type)
    digest_hour = models.PositiveSmallIntegerField(default=DIGEST_HOUR, db_default=DIGEST_HOUR)
    digest_weekday = models.PositiveSmallIntegerField(
        choices=Weekday, default=Weekday.MONDAY, db_default=Weekday.MONDAY.value
    )
    changed_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        abstract = True


def cadence_constraints(table: str) -> list[models.BaseConstraint]:
    return [
        models.CheckConstraint(condition=Q(frequency__in=Frequency.values), name=f"{table}_frequency_is_known"),
        models.CheckConstraint(condition=Q(digest_hour__range=(0, 23)), name=f"{table}_hour_is_of_a_day"),
        models.CheckConstraint(condition=Q(digest_weekday__range=(1, 7)), name=f"{table}_weekday_is_of_a_week"),
    ]


class NotificationPreference(Cadence):
    """What a manager has said. Her inbox has everything, whatever this says."""

    user = models.OneToOneField(
        User, primary_key=True, on_delete=models.CASCADE, related_name="notification_preference"
    )
    timezone = models.CharField(max_length=64, validators=[validate_timezone])

    class Meta:
        db_table = "notification_preferences"
        constraints = cadence_constraints("notification_preferences")

    def __str__(self) -> str:
        return f"{self.user_id}: {self.frequency}"


class NotificationPolicy(Cadence):
    """What holds for the managers of an organization who have said nothing; locked, for all of them."""

    organization = models.OneToOneField(
        Organization, primary_key=True, on_delete=models.CASCADE, related_name="notification_policy"
    )
    locked = models.BooleanField(
        default=False, help_text="For all managers, whatever they have said themselves. They can still unsubscribe."
    )

    objects = TenantQuerySet["NotificationPolicy"].as_manager()

    class Meta:
        db_table = "notification_policies"
        verbose_name_plural = "notification policies"
        constraints = cadence_constraints("notification_policies")

    def __str__(self) -> str:
        return f"{self.organization_id}: {self.frequency}"


class MailSubscription(models.Model):
    """Whether somebody lets us mail her at all, and the key that signs the link by which she says no.

    The key is hers and in no environment, so that a link works for as long as the mail that it is in is kept.
    """

    user = models.OneToOneField(User, primary_key=True, on_delete=models.CASCADE, related_name="mail_subscription")
    link_key = models.BinaryField(max_length=LINK_KEY_LENGTH, default=new_link_key, editable=False)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "mail_subscriptions"

    def __str__(self) -> str:
        return f"{self.user_id}: {self.unsubscribed_at or 'subscribed'}"


class SetBy(StrEnum):
    MANAGER = "manager"
    ORGANIZATION = "organization"
    DEFAULT = "default"


def _known(timezone: str) -> str:
    """One that this machine's database has dropped since is no reason for nobody to get mail."""
    try:
        return ZoneInfo(timezone).key
    except (KeyError, ValueError):
        return "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What holds for one manager at one moment, from all that she and her organization have said."""

    frequency: Frequency
    types: Sequence[str]
    timezone: str
    digest_hour: int
    digest_weekday: int
    # Since when; windows that ended before were those of another wish.
    since: datetime | None
    set_by: SetBy
    is_locked: bool = False
    unsubscribed_at: datetime | None = None
    # With e-mail stopped by the link: what it was, and will be again.
    frequency_before: Frequency | None = None

    @classmethod
    def of(cls, user: User) -> Self:
        """With `notification_preference`, `mail_subscription` and the organization's policy selected: no query."""
        own: NotificationPreference | None = getattr(user, "notification_preference", None)
        policy: NotificationPolicy | None = getattr(user.organization, "notification_policy", None)
        subscription: MailSubscription | None = getattr(user, "mail_subscription", None)
        locked = policy is not None and policy.locked
        said: Cadence = (policy if locked else own or policy) or NotificationPreference()
        frequency = Frequency(said.frequency)
        stopped = subscription.unsubscribed_at if subscription else None
        return cls(
            frequency=Frequency.OFF if stopped else frequency,
            types=said.types,
            timezone=_known(own.timezone if own else user.timezone),
            digest_hour=said.digest_hour,
            digest_weekday=said.digest_weekday,
            # Her own says the time zone, also while the organization's holds.
            since=max((row.changed_at for row in (own, policy) if row and (row is own or row is said)), default=None),
            set_by=SetBy.MANAGER if said is own else SetBy.ORGANIZATION if said is policy else SetBy.DEFAULT,
            is_locked=locked,
            unsubscribed_at=stopped,
            frequency_before=frequency if stopped else None,
        )

    @property
    def has_digest(self) -> bool:
        return self.frequency in {Frequency.DAILY, Frequency.WEEKLY}

    def digest_after(self, moment: datetime) -> datetime:
        """The first end of a window after the moment, exactly: what happens at the end is in the next window.

        An hour that a change to summer time leaves out is taken for the one after it; of one that comes twice, the
        first counts.
        """
        zone = ZoneInfo(self.timezone)
        # A day back, for the local date may be behind that of its own end; days on, for zones have skipped some.
        day = moment.astimezone(zone).date() - timedelta(days=1)
        while True:
            if self.frequency != Frequency.WEEKLY or day.isoweekday() == self.digest_weekday:
                end = datetime.combine(day, time(self.digest_hour), zone).astimezone(UTC)
                if end > moment:
                    return end
            day += timedelta(days=1)

    def next_digest_after(self, moment: datetime) -> datetime | None:
        """None without a digest."""
        return self.digest_after(moment) if self.has_digest else None
