"""The words of an e-mail to a manager: made when it is sent, from what stands in the database then."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from uuid import UUID
from zoneinfo import ZoneInfo

from css_inline import CSSInliner
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from cerply.languages import direction, language_of
from notifications import wording
from notifications.headers import MailForPrograms
from notifications.models import MailKind, ManagerNotification, NotificationType, OutgoingMail
from notifications.preferring import unsubscribe_token
from notifications.recipients import Recipient
from notifications.sentences import count, say

# Of each type.
MOST_LINES = 5
LONGEST_SUBJECT = 150


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    link: str


@dataclass(frozen=True, slots=True)
class Group:
    heading: str
    lines: Sequence[Line]
    more: str


def compose(mail: OutgoingMail, to: Recipient, rows: Sequence[ManagerNotification]) -> EmailMultiAlternatives:
    """About notifications with their learners selected, of which there is at least one."""
    language = language_of(to.user.locale)
    is_one = len(rows) == 1
    first = _first_line(mail, rows, language, to.wish.timezone)
    organization = to.user.organization.name if to.user.organization else ""
    unsubscribe_link = settings.PUBLIC_URL + reverse("unsubscribe", args=[unsubscribe_token(to.user.id)])
    context = {
        "language": language,
        "direction": direction(language),
        "subject": first,
        "first": first,
        "hello": say("hello", language, name=wording.one_line(to.user.name)),
        "period": _period(mail, to, language),
        "groups": [] if is_one and mail.kind == MailKind.IMMEDIATE else _groups(rows, language, to.wish.timezone),
        "open": say("open" if is_one else "open.all", language),
        "link": link_to(rows[0].id if is_one else None),
        "why": say("why", language, organization=wording.one_line(organization)),
        "organization": organization,
        "unsubscribe": say("unsubscribe", language),
        "unsubscribe_link": unsubscribe_link,
    }
    message = MailForPrograms(
        subject=_shortened(first),
        body=render_to_string("notifications/mail/mail.txt", context),
        to=[to.user.email],
        headers=_headers(mail, rows, unsubscribe_link),
    )
    message.attach_alternative(
        _inliner().inline(render_to_string("notifications/mail/mail.html", context)), "text/html"
    )
    return message


def _first_line(mail: OutgoingMail, rows: Sequence[ManagerNotification], language: str, timezone: str) -> str:
    """Also the subject: of a digest how many have done what, of another mail about one learner what she has done."""
    if len({row.learner_id for row in rows}) > 1 or (len(rows) > 1 and mail.window_end):
        return wording.summary(rows, language)
    ordered = sorted(rows, key=lambda row: wording.ORDER.index(NotificationType(row.type)))
    first, further = wording.event(ordered[0], language, timezone), len(rows) - 1
    return say("comma", language).join([first, count("more", further, language)] if further else [first])


def link_to(notification_id: UUID | None) -> str:
    """Where a manager sees it, and can do something about it; without an id, her whole inbox."""
    if notification_id is None:
        return f"{settings.PUBLIC_URL}/inbox"
    return f"{settings.PUBLIC_URL}/inbox/{notification_id}"


def _headers(mail: OutgoingMail, rows: Sequence[ManagerNotification], unsubscribe_link: str) -> dict[str, str]:
    """A mail about one learner is in her thread (RFC 5322, 3.6.4); any is one click from being the last (RFC 8058)."""
    headers = {
        "Message-ID": mail.message_id,
        "List-Unsubscribe": f"<{unsubscribe_link}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        # Nobody's absence answers it (RFC 3834).
        "Auto-Submitted": "auto-generated",
    }
    learners = {row.learner_id for row in rows}
    if len(learners) == 1:
        thread = f"<{learners.pop()}.{mail.recipient_id}@{settings.PUBLIC_HOST}>"
        headers |= {"In-Reply-To": thread, "References": thread}
    return headers


def _period(mail: OutgoingMail, to: Recipient, language: str) -> str:
    if not mail.window_end:
        return ""
    return say(
        f"window.{mail.kind}", language, date=wording.date(mail.window_end, language, ZoneInfo(to.wish.timezone))
    )


def _groups(rows: Sequence[ManagerNotification], language: str, timezone: str) -> list[Group]:
    """By type, the newest first, and no more than a handful of each."""
    groups = []
    for type_ in wording.ORDER:
        its = [row for row in reversed(rows) if row.type == type_]
        if not its:
            continue
        lines = [Line(wording.event(row, language, timezone), link_to(row.id)) for row in its[:MOST_LINES]]
        left = len(its) - len(lines)
        groups.append(Group(say(f"heading.{type_}", language), lines, count("more", left, language) if left else ""))
    return groups


def _shortened(subject: str) -> str:
    return subject if len(subject) <= LONGEST_SUBJECT else f"{subject[: LONGEST_SUBJECT - 1].rstrip()}…"


@cache
def _inliner() -> CSSInliner:
    """Most mail programs read no style sheet: each element gets what the sheet says of it. Nothing is fetched."""
    return CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)
