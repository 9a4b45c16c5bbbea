"""The manager's inbox and her preferences."""

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply.accounts.models import User
from cerply.errors import BadRequest, Forbidden, NotFound
from cerply.openapi import PAGE_PARAMETERS
from cerply.permissions import Role
from cerply.requests import WRITES
from notifications import reading, representation, serializers
from notifications.models import ManagerNotification, SuppressedAddress, Wish
from notifications.preferring import prefer, wish_of
from ops.api import ApiView
from ops.features import Feature

TAGS = ["manager notifications"]


class InboxView(ApiView):
    """Managers and admins, each her own; for who reads everything an inbox that is empty."""

    feature = Feature.MANAGER_NOTIFICATIONS

    def permit(self) -> None:
        self.require(self.caller.reads_everything or self.caller.role in {Role.MANAGER, Role.ADMIN})
        if self.caller.reads_everything and self.request.method in WRITES:
            self.refuse_to_write()

    def refuse_to_write(self) -> None:
        raise BadRequest("You have no inbox: sign in as a manager.")


class NotificationsView(InboxView):
    @extend_schema(
        operation_id="listNotifications",
        summary="One's own notifications, newest first",
        tags=TAGS,
        parameters=[
            OpenApiParameter("unreadOnly", {"type": "string", "enum": ["true", "false"]}),
            OpenApiParameter("type", {"$ref": "#/components/schemas/NotificationType"}),
            *PAGE_PARAMETERS,
        ],
        responses={200: serializers.NotificationPage},
    )
    def get(self, request: Request) -> Response:
        query, page = self.query(serializers.InboxQuery), self.page()
        inbox = ManagerNotification.objects.inbox_of(self.caller)
        rows = inbox.select_related("learner")
        if query.get("unreadOnly") == "true":
            rows = rows.unread()
        if "type" in query:
            rows = rows.filter(type=query["type"])
        unread = inbox.unread().count()
        return Response(page.of_queryset("notifications", rows, representation.notification, unreadCount=unread))


class UnreadCountView(InboxView):
    @extend_schema(
        operation_id="countUnread",
        summary="How many are unread",
        tags=TAGS,
        responses={200: serializers.UnreadCount},
    )
    def get(self, request: Request) -> Response:
        return Response({"unread": ManagerNotification.objects.inbox_of(self.caller).unread().count()})


class NotificationView(InboxView):
    def find(self) -> None:
        inbox = ManagerNotification.objects.inbox_of(self.caller)
        if not inbox.filter(id=self.kwargs["notification_id"]).exists():
            raise NotFound("There is no such notification in your inbox.")

    @extend_schema(
        operation_id="getNotification",
        summary="One notification, and what has become of it by e-mail",
        tags=TAGS,
        responses={200: serializers.NotificationDetail},
    )
    def get(self, request: Request, notification_id: UUID) -> Response:
        inbox = ManagerNotification.objects.inbox_of(self.caller).select_related("learner", "delivery__mail")
        row = inbox.get(id=notification_id)
        delivery = representation.delivery(getattr(row, "delivery", None))
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
