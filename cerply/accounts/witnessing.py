"""Heads of the audit go outside, by mail: who has one can tell whether the chain up to it was rewritten.

Each day that brought something new, the newest head of an organization's chain goes to the addresses that the
organization has named, or else to its auditors; that of the platform's own chain to ``AUDIT_HEADS_TO``.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from audit.heads import Head
from audit.models import NO_ORGANIZATION, AuditKey, Segment
from cerply import clock
from cerply.accounts.models import HeadMail, Organization, User
from cerply.permissions import Role
from ops.outbox import OutboxState

KEEP = timedelta(days=365)


def mail_heads() -> str:
    """The job: owes each address what is new, once a day, and mails what is owed."""
    owed = _owe()
    ended = HeadMail.objects.work_off(_send)
    HeadMail.objects.filter(day__lt=(clock.now() - KEEP).date()).delete()
    return f"Owed {owed} heads, mailed {ended[OutboxState.SENT]}."


def witnesses() -> Mapping[UUID, Sequence[str]]:
    """To whom each chain's heads go."""
    addresses: dict[UUID, list[str]] = defaultdict(list)
    auditors = User.objects.filter(role=Role.AUDITOR, is_active=True, organization__closed_at=None).order_by("email")
    for organization_id, email in auditors.values_list("organization_id", "email"):
        addresses[organization_id].append(email)
    named = Organization.objects.open().exclude(audit_addresses=[])
    addresses.update(named.values_list("id", "audit_addresses"))
    addresses[NO_ORGANIZATION] = list(settings.AUDIT_HEADS_TO)
    return addresses


def _owe() -> int:
    today, addresses = clock.now().date(), witnesses()
    newest = Segment.objects.newest_of(addresses)
    mailed = {(last.organization_id, last.address): last for last in HeadMail.objects.newest()}
    rows = []
    for organization_id, segment in newest.items():
        for address in dict.fromkeys(addresses[organization_id]):
            last = mailed.get((organization_id, address))
            if last is None or (last.day < today and last.number < segment.number):
                head = str(Head.of(segment))
                rows.append(
                    HeadMail(
                        organization_id=organization_id, address=address, day=today, number=segment.number, head=head
                    )
                )
    HeadMail.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _send(mail: HeadMail) -> OutboxState:
    segment = Segment.objects.select_related("key").get(organization_id=mail.organization_id, number=mail.number)
    organization = Organization.objects.filter(id=mail.organization_id).first()
    where = organization.name if organization else "Cerply itself"
    context = {
        "where": where,
        "head": mail.head,
        "events": segment.total,
        "sealed_at": clock.rfc3339(segment.sealed_at),
        "keys": [bytes(key.public_key).hex() for key in AuditKey.objects.order_by("created_at")],
        "url": settings.PUBLIC_URL,
    }
    subject = " ".join(f"Head {mail.number} of the audit of {where}".split())
    send_mail(subject, render_to_string("accounts/audit_head.txt", context), None, [mail.address])
    return OutboxState.SENT
