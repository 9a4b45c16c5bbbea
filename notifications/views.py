"""The manager's inbox and her preferences."""

from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply.accounts.models import User
from cerply.errors import BadRequest, Forbidden, NotFound
from cerply.openapi import PAGE_PARAMETERS
from cerply.permissions import Role
from cerply.requests import WRITES
from notifications import reading, representation, serializers
from notifications.counting import Counts, unread_of
from notifications.models import ManagerNotification, SuppressedAddress, Wish
from notifications.polling import FINGERPRINT, InboxPage, etag_of
from notifications.preferring import prefer, wish_of
from ops.api import ApiView
from ops.features import Feature

TAGS = ["manager notifications"]
UNCHANGED = OpenApiResponse(None, "What the client has is still what it would get.")
POLLING = [
    OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="The `ETag` of what the client has."),
    OpenApiParameter(
        "ETag",
        {"type": "string"},
        OpenApiParameter.HEADER,
        required=True,
        response=[200, 304],
        description="Another one whenever the answer is.",
    ),
    OpenApiParameter(
        "X-Poll-Interval",
        {"type": "integer", "minimum": 1},
        OpenApiParameter.HEADER,
        required=True,
        response=[200, 304],
        description="How many seconds to wait before asking again.",
    ),
]


class InboxView(ApiView):
    """Managers and admins, each her own; for who reads everything an inbox that is empty."""

    feature = Feature.MANAGER_NOTIFICATIONS

    def permit(self) -> None:
        self.require(self.caller.reads_everything or self.caller.role in {Role.MANAGER, Role.ADMIN})
        if self.caller.reads_everything and self.request.method in WRITES:
            self.refuse_to_write()

    def refuse_to_write(self) -> None:
        raise BadRequest("You have no inbox: sign in as a manager.")


class PolledView(InboxView):
    """Asked again and again: it says how many seconds to wait, and 304 while nothing has changed."""

    def perform(self, handler: Callable[..., Response]) -> HttpResponseBase:
        answer = super().perform(handler)
        answer["X-Poll-Interval"] = str(settings.POLL_INTERVAL)
        return answer


class NotificationsView(PolledView):
    @extend_schema(
        operation_id="listNotifications",
        summary="One's own notifications, newest first",
        tags=TAGS,
        parameters=[
            OpenApiParameter("unreadOnly", {"type": "string", "enum": ["true", "false"]}),
            OpenApiParameter("type", {"$ref": "#/components/schemas/NotificationType"}),
            *PAGE_PARAMETERS,
            *POLLING,
        ],
        responses={200: serializers.NotificationPage, 304: UNCHANGED},
    )
    def get(self, request: Request) -> HttpResponse:
        query, page = self.query(serializers.InboxQuery), self.page()
        unread_only = query.get("unreadOnly") == "true"
        wanted = InboxPage(self.caller, Counts(self.caller), page, query.get("type"), unread_only)
        return self.held(lambda: wanted.etag(wanted.fingerprints())) or self.written(wanted)

    def written(self, wanted: InboxPage) -> Response:
        """With the `ETag` of the rows that are in it, whatever happened to them since they were asked for first."""
        rows = list(wanted.rows().select_related("learner").annotate(fingerprint=FINGERPRINT))
        etag = wanted.etag(row.fingerprint for row in rows)  # type: ignore[attr-defined]
        shown, unread = [representation.notification(row) for row in rows], wanted.counts.unread
        body = wanted.page.body("notifications", shown, wanted.total, unreadCount=unread)
        return Response(body, headers={"ETag": etag})


class UnreadCountView(PolledView):
    @extend_schema(
        operation_id="countUnread",
        summary="How many are unread",
        tags=TAGS,
        parameters=POLLING,
        responses={200: serializers.UnreadCount, 304: UNCHANGED},
    )
    def get(self, request: Request) -> HttpResponse:
        unread = unread_of(self.caller)
        etag = etag_of(self.caller.key, unread)
        return self.held(lambda: etag) or Response({"unread": unread}, headers={"ETag": etag})


class NotificationView(InboxView):
    def find(self) -> None:
        inbox = ManagerNotification.objects.inbox_of(self.caller)
        if not inbox.filter(id=self.kwargs["notification_id"]).exists():
            raise NotFound(reading.GONE)

    @extend_schema(
        operation_id="getNotification",
        summary="One notification, and what has become of it by e-mail",
        tags=TAGS,
        responses={200: serializers.NotificationDetail},
    )
    def get(self, request: Request, notification_id: UUID) -> Response:
        inbox = ManagerNotification.objects.inbox_of(self.caller).select_related("learner", "manager", "delivery__mail")
        row = inbox.filter(id=notification_id).first()
        if row is None:
            raise NotFound(reading.GONE)
        delivery = representation.delivery(getattr(row, "delivery", None), wish_of(row.manager))
        return Response({**representation.notification(row), "delivery": delivery})

    @extend_schema(
        operation_id="markNotification",
        summary="Mark as read, or as unread again",
        tags=TAGS,
        request=serializers.ReadInput,
        responses={200: serializers.ReadState},
    )
    def patch(self, request: Request, notification_id: UUID) -> Response:
        read = self.valid(serializers.ReadInput)["read"]
        return Response(representation.read_state(reading.mark(notification_id, read=read, actor=self.caller.actor)))


class ReadAllView(InboxView):
    @extend_schema(
        operation_id="markAllRead",
        summary="Mark everything as read",
        tags=TAGS,
        request=serializers.ReadAllInput,
        responses={200: serializers.MarkedRead},
    )
    def post(self, request: Request) -> Response:
        values = {} if self.body.is_empty else self.valid(serializers.ReadAllInput)
        return Response({"updated": reading.mark_all(self.caller, before=values.get("before"))})


class PreferencesView(InboxView):
    """They are about e-mail; the inbox has everything, whatever they say."""

    def refuse_to_write(self) -> None:
        raise Forbidden

    @property
    def user(self) -> User:
        """Who reads everything has the preferences of nobody in particular."""
        return self.request.user if isinstance(self.request.user, User) else User(timezone="UTC")

    @extend_schema(
        operation_id="getPreferences",
        summary="How one wants to be told by e-mail",
        tags=TAGS,
        responses={200: serializers.Preferences},
    )
    def get(self, request: Request) -> Response:
        return self.answer(wish_of(self.user))

    @extend_schema(
        operation_id="putPreferences",
        summary="Say how one wants to be told by e-mail",
        tags=TAGS,
        request=serializers.PreferencesInput,
        responses={200: serializers.Preferences},
    )
    def put(self, request: Request) -> Response:
        values = self.valid(serializers.PreferencesInput)
        return self.answer(prefer(self.user, values, actor=self.caller.actor))

    def answer(self, wish: Wish) -> Response:
        suppressed = SuppressedAddress.objects.holding().of(self.user.email).first()
        return Response(representation.preferences(wish, suppressed.reason if suppressed else None))
