"""The organization's webhooks: by its admins; who sees the whole organization may look."""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply.errors import NotFound
from cerply.openapi import PAGE_PARAMETERS
from cerply.requests import WRITES
from notifications.models import WebhookDelivery, WebhookEndpoint
from notifications.webhooks import endpoints, representation, serializers
from ops.api import ApiView
from ops.features import Feature

TAGS = ["webhooks"]


class WebhookRoute(ApiView):
    feature = Feature.MANAGER_NOTIFICATIONS
    endpoint: WebhookEndpoint

    def permit(self) -> None:
        writes = self.request.method in WRITES
        self.require(self.caller.administers if writes else self.caller.reads_organization)

    def find(self) -> None:
        if "webhook_id" in self.kwargs:
            found = self.visible().filter(id=self.kwargs["webhook_id"]).first()
            if found is None:
                raise NotFound("There is no such webhook.")
            self.endpoint = found

    def visible(self) -> QuerySet[WebhookEndpoint]:
        return WebhookEndpoint.objects.in_reach_of(self.caller).kept()


class WebhooksView(WebhookRoute):
    # The answer holds a secret, and must not be kept.
    idempotent = False

    @extend_schema(
        operation_id="listWebhooks",
        summary="The organization's webhooks, oldest first",
        tags=TAGS,
        parameters=PAGE_PARAMETERS,
        responses={200: serializers.WebhookPage},
    )
    def get(self, request: Request) -> Response:
        return Response(self.page().of_queryset("webhooks", self.visible(), representation.endpoint))

    @extend_schema(
        operation_id="createWebhook",
        summary="Have milestones sent to a system of one's own",
        description=f"{endpoints.MOST} at most. The answer holds the secret, which nobody can show again.",
        tags=TAGS,
        request=serializers.WebhookInput,
        responses={201: serializers.WebhookWithSecret},
    )
    def post(self, request: Request) -> Response:
        values = self.valid(serializers.WebhookInput)
        endpoint, secret = endpoints.create(self.caller.member_of, values, actor=self.caller.actor)
        return Response({**representation.endpoint(endpoint), "secret": secret}, status=201)


class WebhookView(WebhookRoute):
    @extend_schema(operation_id="getWebhook", summary="One webhook", tags=TAGS, responses={200: serializers.Webhook})
    def get(self, request: Request, webhook_id: UUID) -> Response:
        return Response(representation.endpoint(self.endpoint))

    @extend_schema(
        operation_id="changeWebhook",
        summary="Change, disable or enable a webhook",
        tags=TAGS,
        request=serializers.WebhookPatch,
        responses={200: serializers.Webhook},
    )
    def patch(self, request: Request, webhook_id: UUID) -> Response:
        values = self.valid(serializers.WebhookPatch)
        return Response(representation.endpoint(endpoints.change(webhook_id, values, actor=self.caller.actor)))

    @extend_schema(
        operation_id="deleteWebhook",
        summary="Delete a webhook",
        description="Nothing is sent there any more, nor what is owed still.",
        tags=TAGS,
        responses={204: None},
    )
    def delete(self, request: Request, webhook_id: UUID) -> Response:
        endpoints.delete(webhook_id, actor=self.caller.actor)
        return Response(status=204)


class SecretView(WebhookRoute):
    # The answer holds a secret, and must not be kept.
    idempotent = False

    @extend_schema(
        operation_id="rotateWebhookSecret",
        summary="Make a new secret",
        description="Both sign for 24 hours, unless the former one is to end at once. The answer holds the new one, "
        "which nobody can show again.",
        tags=TAGS,
        request=serializers.RotationInput,
        responses={200: serializers.WebhookWithSecret},
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        values = {} if self.body.is_empty else self.valid(serializers.RotationInput)
        at_once = values.get("atOnce", False)
        endpoint, secret = endpoints.rotate(webhook_id, at_once=at_once, actor=self.caller.actor)
        return Response({**representation.endpoint(endpoint), "secret": secret})


class SendTestView(WebhookRoute):
    @extend_schema(
        operation_id="testWebhook",
        summary="Send a test event",
        description="Its type is `webhook.test`, whatever `eventTypes` says.",
        tags=TAGS,
        request=None,
        responses={202: serializers.WebhookDelivery},
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        self.refuse_fields()
        return Response(representation.delivery(endpoints.send_test(webhook_id, actor=self.caller.actor)), status=202)


class DeliveriesView(WebhookRoute):
    @extend_schema(
        operation_id="listWebhookDeliveries",
        summary="What was sent and is owed, newest first",
        description="For 30 days.",
        tags=TAGS,
        parameters=[OpenApiParameter("state", {"$ref": "#/components/schemas/WebhookDeliveryState"}), *PAGE_PARAMETERS],
        responses={200: serializers.WebhookDeliveryPage},
    )
    def get(self, request: Request, webhook_id: UUID) -> Response:
        query, page = self.query(serializers.DeliveryQuery), self.page()
        rows = WebhookDelivery.objects.of_endpoint(self.endpoint)
        if "state" in query:
            rows = rows.filter(state=query["state"])
        return Response(page.of_queryset("deliveries", rows, representation.delivery))


class ReplayView(WebhookRoute):
    def find(self) -> None:
        super().find()
        rows = WebhookDelivery.objects.of_endpoint(self.endpoint)
        if not rows.filter(id=self.kwargs["delivery_id"]).exists():
            raise NotFound("There is no such delivery.")

    @extend_schema(
        operation_id="replayWebhookDelivery",
        summary="Send it once more",
        description="Under the same `webhook-id`. One that is owed still stays as it is.",
        tags=TAGS,
        request=None,
        responses={202: serializers.WebhookDelivery},
    )
    def post(self, request: Request, webhook_id: UUID, delivery_id: UUID) -> Response:
        self.refuse_fields()
        return Response(representation.delivery(endpoints.replay(delivery_id, actor=self.caller.actor)), status=202)
