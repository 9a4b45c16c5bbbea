"""How managers want to be told by e-mail."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Q

from cerply import clock
from cerply.accounts.models import User, validate_timezone
from notifications.models.inbox import NotificationType

DIGEST_TIME = time(8)


class Frequency(models.TextChoices):
    IMMEDIATE = "immediate", "Immediately"
    DAILY = "daily", "Daily"
    WEEKLY = "weekly", "Weekly"
    OFF = "off", "Off"


def every_type() -> list[str]:
    return list(NotificationType.values)


class NotificationPreference(models.Model):
    """How a manager wants to be told by e-mail. Her inbox has everything, whatever this says."""

    user = models.OneToOneField(
        User, primary_key=True, on_delete=models.CASCADE, related_name="notification_preference"
    )
    frequency = models.CharField(max_length=16, choices=Frequency, default=Frequency.IMMEDIATE)
    types = models.JSONField(default=every_type)
    timezone = models.CharField(max_length=64, validators=[validate_timezone])
    changed_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "notification_preferences"
        constraints = [
            models.CheckConstraint(
                condition=Q(frequency__in=Frequency.values), name="notification_preferences_frequency_is_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.frequency}"

    def next_digest_after(self, moment: datetime) -> datetime | None:
        """8 o'clock in her time zone: of the next day, or of the next Monday; None without a digest."""
        if self.frequency not in {Frequency.DAILY, Frequency.WEEKLY}:
            return None
        local = moment.astimezone(ZoneInfo(self.timezone))
        day = local.date()
        if local.time() >= DIGEST_TIME:
            day += timedelta(days=1)
        if self.frequency == Frequency.WEEKLY:
            day += timedelta(days=-day.weekday() % 7)
        return datetime.combine(day, DIGEST_TIME, local.tzinfo).astimezone(UTC)
