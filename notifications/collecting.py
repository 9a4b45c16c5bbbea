"""Putting what waits into e-mails: what is due now together, what is for a digest when its window has ended.

A few hundred managers at a time, in a few statements whatever number of notifications they have. One process at a time
collects, so that what goes out together is in one mail; what it has collected is in the outbox when it commits, and
waits still when it is killed before.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, Min

from cerply import clock
from cerply.accounts.models import User
from cerply.identifiers import uuid7
from notifications.models import Delivery, Frequency, MailKind, MailSubscription, NotificationType, OutgoingMail, Wish
from notifications.recipients import Recipient, recipients

COLLECTING = 0x63706D6C  # any number that nobody else locks
# Of what is due, so much is looked at in one transaction: of as many managers at most.
CHUNK = 500

LOOKED_AT = """
    SELECT DISTINCT manager_id FROM
        (SELECT manager_id FROM notification_deliveries
          WHERE state = 'waiting' AND due_at <= %s ORDER BY due_at LIMIT %s) AS due
"""
WITHHOLD = """
    UPDATE notification_deliveries AS delivery SET state = 'withheld', reason = chosen.reason, settled_at = %s
      FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS chosen (manager_id, type, reason)
     WHERE delivery.state = 'waiting' AND delivery.manager_id = chosen.manager_id AND delivery.type = chosen.type
"""
PUT_IN = """
    UPDATE notification_deliveries AS delivery SET state = 'mailing', mail_id = chosen.mail_id
      FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::timestamptz[])
           AS chosen (manager_id, mail_id, beginning, ending)
     WHERE delivery.state = 'waiting' AND delivery.manager_id = chosen.manager_id
       AND delivery.happened_at >= coalesce(chosen.beginning, '-infinity')
       AND delivery.happened_at < coalesce(chosen.ending, 'infinity')
"""
PUT_OFF = """
    UPDATE notification_deliveries AS delivery SET due_at = chosen.due_at
      FROM unnest(%s::uuid[], %s::timestamptz[]) AS chosen (manager_id, due_at)
     WHERE delivery.state = 'waiting' AND delivery.manager_id = chosen.manager_id
"""
# Called by the first notification that is in it: the same name whoever sends it, and however often.
NAME = """
    UPDATE outgoing_mails AS mail SET message_id = '<' || first.id || '@' || %s || '>'
      FROM (SELECT DISTINCT ON (mail_id) mail_id, notification_id AS id FROM notification_deliveries
             WHERE mail_id = ANY(%s) ORDER BY mail_id, happened_at, notification_id) AS first
     WHERE mail.id = first.mail_id
"""
# Windows in which nothing happened.
EMPTY = """
    DELETE FROM outgoing_mails AS mail
     WHERE id = ANY(%s) AND NOT EXISTS (SELECT FROM notification_deliveries WHERE mail_id = mail.id)
"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A mail, and from when to when what is in it happened; None is without end."""

    mail: OutgoingMail
    beginning: datetime | None
    ending: datetime | None


def collect() -> int:
    """Returns how many mails it has put into the outbox."""
    collected = 0
    while True:
        with transaction.atomic():
            if not _is_alone():
                return collected
            looked_at, mails = _collect_some(clock.now())
        collected += mails
        if not looked_at:
            return collected


def _is_alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [COLLECTING])
        return bool(cursor.fetchone()[0])


def _collect_some(now: datetime) -> tuple[int, int]:
    """Of some managers: afterwards nothing that is due waits for them. Returns how many they are, and the mails."""
    with connection.cursor() as cursor:
        cursor.execute(LOOKED_AT, [now, CHUNK])
        manager_ids = [manager_id for (manager_id,) in cursor.fetchall()]
    # Held first, then read: who says something else meanwhile waits, and has it looked at anew.
    Delivery.objects.hold(manager_ids)
    managers = recipients(manager_ids)
    _withhold(managers, now)
    firsts = dict(
        Delivery.objects.waiting()
        .filter(manager_id__in=managers)
        .values_list("manager_id")
        .annotate(Min("happened_at"))
    )
    lasts = dict(
        OutgoingMail.objects.filter(recipient__in=firsts, window_end__isnull=False)
        .order_by()
        .values_list("recipient")
        .annotate(Max("window_end"))
    )
    chosen: list[Chosen] = []
    later: dict[UUID, datetime] = {}
    for manager_id, first in firsts.items():
        manager = managers[manager_id]
        if manager.hindrance:
            # It came after the others were withheld, and is looked at when it is due.
            continue
        if manager.wish.frequency == Frequency.IMMEDIATE:
            chosen.append(Chosen(_mail(manager, None, now), None, None))
            continue
        ends = list(_windows(manager.wish, first, lasts.get(manager_id), now))
        # What was late for the first of them is in it.
        for beginning, ending in zip([None, *ends], ends, strict=False):
            chosen.append(Chosen(_mail(manager, ending, now), beginning, ending))
        later[manager_id] = manager.wish.digest_after(max(filter(None, [now, *ends[-1:], lasts.get(manager_id)])))
    mails = _put_in(chosen)
    with connection.cursor() as cursor:
        cursor.execute(PUT_OFF, [list(later), list(later.values())])
    return len(managers), mails


def _withhold(managers: Mapping[UUID, Recipient], now: datetime) -> None:
    chosen = [
        (manager_id, type_, reason.value)
        for manager_id, manager in managers.items()
        for type_ in NotificationType.values
        if (reason := manager.refusal_of(type_))
    ]
    with connection.cursor() as cursor:
        cursor.execute(WITHHOLD, [now, *([row[column] for row in chosen] for column in range(3))])


def _windows(wish: Wish, first: datetime, last: datetime | None, now: datetime) -> Iterator[datetime]:
    """The ends of those that have ended since the first thing that waits; of none of them is there a digest.

    What waits from before the last digest (it was committed late), or from before the wish, is in the next window.
    """
    moment = max(filter(None, [first, last, wish.since]))
    while (moment := wish.digest_after(moment)) <= now:
        yield moment


def _mail(manager: Recipient, window_end: datetime | None, now: datetime) -> OutgoingMail:
    return OutgoingMail(
        id=uuid7(),
        organization_id=manager.user.member_of,
        recipient=manager.user,
        kind=MailKind(manager.wish.frequency),
        window_end=window_end,
        created_at=now,
        due_at=now,
    )


def _give_keys(managers: Collection[User]) -> None:
    """To those who have none: nobody else makes one. To try it with the others would wait for who unsubscribes just
    then, and she waits for what is held here.

    Committed before it goes out, or the link in a mail whose sender was killed is signed by a key that is gone.
    """
    keyless = [manager for manager in managers if not hasattr(manager, "mail_subscription")]
    MailSubscription.objects.bulk_create(MailSubscription(user=manager) for manager in keyless)


def _put_in(chosen: list[Chosen]) -> int:
    """Returns how many have anything in them; the others are gone again."""
    OutgoingMail.objects.bulk_create(each.mail for each in chosen)
    _give_keys({each.mail.recipient for each in chosen})
    mail_ids = [each.mail.id for each in chosen]
    manager_ids = [each.mail.recipient_id for each in chosen]
    with connection.cursor() as cursor:
        spans = [each.beginning for each in chosen], [each.ending for each in chosen]
        cursor.execute(PUT_IN, [manager_ids, mail_ids, *spans])
        cursor.execute(EMPTY, [mail_ids])
        empty: int = cursor.rowcount
        cursor.execute(NAME, [settings.PUBLIC_HOST, mail_ids])
    return len(chosen) - empty
