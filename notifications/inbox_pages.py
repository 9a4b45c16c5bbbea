"""The inbox in a browser, where the links of e-mails lead: what is in it, and one notification.

To look at either changes nothing, for programs follow links as well: what marks as read is a button.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.http import urlencode

from cerply import clock
from cerply.accounts.pages import PageView, sign_in_first
from cerply.errors import NotFound
from cerply.identifiers import parse_uuid
from cerply.pagination import Page
from cerply.permissions import Role
from notifications import reading, serializers, wording
from notifications.counting import Counts
from notifications.models import ManagerNotification, NotificationType
from notifications.polling import InboxPage
from notifications.preferring import wish_of
from notifications.sentences import say
from ops import features
from ops.features import Feature

PAGE_SIZE = 25
PAGE_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
UNREAD = "unread"


class InboxPageView(PageView):
    """For managers and admins, each her own."""

    def refusal(self) -> HttpResponse | None:
        organization_id = self.caller.organization_id
        if not features.switched_on(Feature.MANAGER_NOTIFICATIONS):
            return self.told("off", 404)
        if self.user is None:
            return sign_in_first(self.request)
        if organization_id and not features.is_on(Feature.MANAGER_NOTIFICATIONS, organization_id):
            return self.told("off", 404)
        if self.caller.role not in {Role.MANAGER, Role.ADMIN}:
            return self.told("managers", 403)
        return None

    def say(self, key: str, **arguments: object) -> str:
        return say(key, self.language, **arguments)

    def told(self, key: str, status: int) -> HttpResponse:
        return self.message(self.say(f"inbox.{key}"), self.say(f"inbox.{key}.more"), status)

    @cached_property
    def timezone(self) -> str:
        """That of her e-mails."""
        return wish_of(self.user).timezone if self.user else "UTC"

    def moment(self, moment: datetime) -> str:
        """As her language writes it, in her time zone."""
        local = moment.astimezone(ZoneInfo(self.timezone))
        day, time = format_date(local, "medium", self.language), format_time(local, "short", locale=self.language)
        return f"{day} · {time}"

    def event(self, row: ManagerNotification) -> str:
        return wording.event(row, self.language, self.timezone)

    @cached_property
    def shown(self) -> QueryDict:
        """Which part of the inbox she looks at, or came from; what is no such thing is as if it were not there."""
        shown, asked = QueryDict(mutable=True), self.request.GET
        if asked.get("show") in {UNREAD, *NotificationType.values}:
            shown["show"] = asked["show"]
        if PAGE_NUMBER.fullmatch(asked.get("page", "")):
            shown["page"] = asked["page"]
        return shown

    @property
    def list_address(self) -> str:
        query = self.shown.urlencode()
        return reverse("inbox") + (f"?{query}" if query else "")


class InboxListPage(InboxPageView):
    def get(self, request: HttpRequest) -> HttpResponse:
        counts, show = Counts(self.caller), self.shown.get("show")
        type_, unread_only = (None, True) if show == UNREAD else (show, False)
        pages = max(1, ceil(counts.of(type_, unread_only=unread_only) / PAGE_SIZE))
        number = min(int(self.shown.get("page", 1)), pages)
        page = Page(PAGE_SIZE, (number - 1) * PAGE_SIZE)
        wanted = InboxPage(self.caller, counts, page, type_, unread_only)
        context = {
            "headline": self.say("inbox"),
            "unread": counts.unread,
            "said_unread": self.say("inbox.unread", n=counts.unread),
            "rows": [self.row(row) for row in wanted.rows().select_related("learner")],
            "filters": list(self.filters(counts, show)),
            "query": self.shown.urlencode(),
            "now": clock.rfc3339(clock.now()),
            "newer": self.query(show, number - 1) if number > 1 else None,
            "older": self.query(show, number + 1) if number < pages else None,
            "page": self.say("inbox.page", page=number, pages=pages),
            "pages": pages,
            **self.labels("empty", "filters", "new", "newer", "older", "read", "read_all"),
        }
        return self.page("notifications/pages/inbox.html", context)

    def row(self, row: ManagerNotification) -> dict[str, Any]:
        return {"id": row.id, "is_read": row.is_read, "said": self.event(row), "when": self.moment(row.sent_at)}

    def filters(self, counts: Counts, show: str | None) -> Iterator[tuple[str, int, str, bool]]:
        """What it says, how many there are, the query, and whether it is the one that is on."""
        yield self.say("inbox.filter.all"), sum(counts.by_type.values()), "", show is None
        yield self.say("inbox.filter.unread"), counts.unread, self.query(UNREAD), show == UNREAD
        for type_ in wording.ORDER:
            number = counts.by_type.get(type_, 0)
            if number or show == type_:
                yield self.say(f"inbox.filter.{type_}"), number, self.query(type_), show == type_

    def query(self, show: str | None, page: int = 1) -> str:
        return urlencode(({"show": show} if show else {}) | ({"page": page} if page > 1 else {}))

    def labels(self, *names: str) -> Mapping[str, str]:
        return {f"label_{name}": self.say(f"inbox.{name}") for name in names}

    def post(self, request: HttpRequest) -> HttpResponse:
        """Marks as read what she has seen: what came since the page was made stays unread."""
        checked = serializers.ReadAllInput(data={"before": request.POST.get("before", "")})
        if not checked.is_valid():
            return self.told("bad", 400)
        reading.mark_all(self.caller, before=checked.validated_data["before"])
        return self.see(self.list_address)


class NotificationPage(InboxPageView):
    def get(self, request: HttpRequest, notification_id: str) -> HttpResponse:
        row = self.find(notification_id)
        if row is None:
            return self.told("gone", 404)
        context = {
            "headline": self.event(row),
            "row": row,
            "facts": [(self.say(f"inbox.{name}"), value) for name, value in self.facts(row)],
            "certificate": self.certificate(row),
            "query": self.shown.urlencode(),
            "back": self.list_address,
            "label_back": self.say("inbox.back"),
            "label_certificate": self.say("inbox.certificate"),
            "label_mark": self.say("inbox.unread_again" if row.is_read else "inbox.read"),
            "label_new": self.say("inbox.new"),
        }
        return self.page("notifications/pages/notification.html", context)

    def facts(self, row: ManagerNotification) -> Iterator[tuple[str, str]]:
        content = row.content
        yield "learner", row.learner.name
        if track := content.get("trackTitle"):
            yield "track", track
        if row.type == NotificationType.LEVEL_UP:
            level, previous = (self.say(f"level.{content[name]}") for name in ("newLevel", "previousLevel"))
            yield "level", self.say("inbox.level.before", level=level, previous=previous)
        if badge := content.get("badgeName"):
            yield "badge", badge
        if ends := content.get("expiresAt"):
            yield "ends", wording.date(datetime.fromisoformat(ends), self.language, ZoneInfo(self.timezone))
        yield "when", self.moment(row.sent_at)
        if row.read_at:
            yield "read_at", self.moment(row.read_at)

    def certificate(self, row: ManagerNotification) -> str | None:
        """Its page, which says how it stands now."""
        key = row.content.get("certificateId")
        return reverse("verify", args=[key]) + f"?lang={self.language}" if key else None

    def post(self, request: HttpRequest, notification_id: str) -> HttpResponse:
        mark = {"read": True, "unread": False}.get(request.POST.get("mark", ""))
        row = self.find(notification_id)
        if mark is None:
            return self.told("bad", 400)
        try:
            if row is None:
                raise NotFound
            reading.mark(row.id, read=mark, actor=self.caller.actor)
        except NotFound:
            return self.told("gone", 404)
        if request.POST.get("from") == "list":
            return self.see(self.list_address)
        query = self.shown.urlencode()
        return self.see(request.path + (f"?{query}" if query else ""))

    def find(self, notification_id: str) -> ManagerNotification | None:
        key = parse_uuid(notification_id)
        inbox = ManagerNotification.objects.inbox_of(self.caller).select_related("learner")
        return inbox.filter(id=key).first() if key else None
