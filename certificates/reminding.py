"""Reminding learners and their managers that certificates end.

First a row per certificate and step, together with the managers' notifications; then a mail to the learner for each row
that still owes one. So a worker that is killed loses nothing, and a late one sends the nearest step alone.
"""

import logging
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string

from cerply import clock
from certificates.models import Certificate, ExpiryReminder, Status
from notifications.milestones import Milestone, announce
from notifications.models import NotificationType
from ops.features import Feature, is_on

logger = logging.getLogger(__name__)

# So many days before the end.
STEPS = (60, 30, 7)
BATCH = 200
LAST = UUID(int=2**128 - 1)


class NotMailed(Exception):
    """Some mails could not be sent, and are still owed; the log says why. The others were."""


def remind() -> str:
    """The job, once a day: whoever runs it, and however late, each certificate and step is reminded of once."""
    reminded = sum(_remind(days, after) for days, after in pairwise((*STEPS, 0)))
    mailed = mail_owed()
    return f"Reminded of {reminded} certificates that end; mailed {mailed} learners."


def _remind(days: int, after: int) -> int:
    """Of those that end within so many days, but after the days of the next step."""
    now = clock.now()
    on: dict[UUID, bool] = {}
    reminded, cursor = 0, (now + timedelta(days=after), LAST)
    while True:
        with transaction.atomic():
            ending = Certificate.objects.ending(cursor, now + timedelta(days=days))
            batch = list(ending.select_for_update(no_key=True, of=("self",))[:BATCH])
            for certificate in batch:
                if certificate.organization_id not in on:
                    on[certificate.organization_id] = is_on(Feature.CERTIFICATES, certificate.organization_id)
            reminded += _write([certificate for certificate in batch if on[certificate.organization_id]], days, now)
        if len(batch) < BATCH:
            return reminded
        cursor = (batch[-1].expires_at or now, batch[-1].id)


def _write(certificates: list[Certificate], days: int, now: datetime) -> int:
    """Their rows are locked, so that nobody else reminds of the same."""
    known = ExpiryReminder.objects.filter(certificate__in=certificates, days=days)
    done = set(known.values_list("certificate_id", flat=True))
    step = timedelta(days=days)
    due = [
        certificate
        for certificate in certificates
        # Who got it with less time left than that knows.
        if certificate.id not in done
        and certificate.expires_at
        and certificate.issued_at < certificate.expires_at - step
    ]
    reminders = [
        ExpiryReminder(organization_id=certificate.organization_id, certificate=certificate, days=days, created_at=now)
        for certificate in due
    ]
    ExpiryReminder.objects.bulk_create(reminders)
    announce([_milestone(reminder, now) for reminder in reminders])
    return len(reminders)


def _milestone(reminder: ExpiryReminder, now: datetime) -> Milestone:
    certificate = reminder.certificate
    ends = certificate.expires_at or now
    return Milestone(
        NotificationType.EXPIRING,
        certificate.learner,
        reminder.id,
        {
            "certificateId": str(certificate.id),
            "trackId": str(certificate.track_id),
            "trackTitle": certificate.track_title,
            "expiresAt": clock.rfc3339(ends),
            "daysLeft": (ends - now).days,
        },
    )


def mail_owed() -> int:
    """Each in a transaction of its own, after which it is owed no more. Raises `NotMailed` when all were tried."""
    mailed = 0
    failed: list[UUID] = []
    while True:
        with transaction.atomic():
            owed = ExpiryReminder.objects.owed_a_mail().exclude(id__in=failed)
            reminder = owed.select_for_update(skip_locked=True).first()
            if reminder is None:
                break
            try:
                with transaction.atomic():
                    mailed += _mail(reminder)
            except Exception:
                logger.exception("reminder %s cannot be mailed", reminder.id)
                failed.append(reminder.id)
    if failed:
        raise NotMailed(f"Mailed {mailed} learners; could not mail {len(failed)}, reminder {failed[0]} is one of them.")
    return mailed


def _mail(reminder: ExpiryReminder) -> bool:
    """False where there is nothing to tell any more."""
    now = clock.now()
    people = Certificate.objects.select_related("learner", "organization")
    certificate = people.get(id=reminder.certificate_id)
    reminder.mail_due = False
    overtaken = ExpiryReminder.objects.filter(certificate=certificate, days__lt=reminder.days).exists()
    if _still_ends(certificate, now) and not overtaken:
        context = {"certificate": certificate, "days": ((certificate.expires_at or now) - now).days}
        subject = f"Your certificate “{certificate.track_title}” ends on {certificate.expires_at:%Y-%m-%d}"
        text = render_to_string("certificates/expiring.txt", context)
        send_mail(" ".join(subject.split()), text, None, [certificate.learner.email])
        reminder.mailed_at = now
    reminder.save(update_fields=["mail_due", "mailed_at"])
    return reminder.mailed_at is not None


def _still_ends(certificate: Certificate, now: datetime) -> bool:
    return (
        certificate.expires_at is not None
        and certificate.renewed_at is None
        and certificate.status_at(now) is Status.VALID
        and certificate.learner.is_active
        and certificate.organization.closed_at is None
        and is_on(Feature.CERTIFICATES, certificate.organization_id)
    )
