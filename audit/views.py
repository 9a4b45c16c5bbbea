"""The audit for an organization's admins and auditors: events, heads, and bundles that prove them."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.cache import patch_vary_headers
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit import exporting, heads, serializers
from audit.bundling import bundle_of
from audit.exporting import Selection
from audit.leaves import as_json
from audit.models import NO_ORGANIZATION, AuditKey, EventType, Segment
from audit.serializers import FORMATS
from cerply.errors import NotFound
from cerply.openapi import PAGE_PARAMETERS
from cerply.views import ApiView

TAGS = ["audit"]
ORGANIZATION = OpenApiParameter(
    "organization",
    {"type": "string", "format": "uuid"},
    description="For staff, who see every one. Without it they get the platform's own heads, and all events.",
)
SELECTION = [
    OpenApiParameter("type", {"type": "string", "enum": EventType.values}),
    OpenApiParameter("actor", {"type": "string", "format": "uuid"}, description="Who did it."),
    OpenApiParameter("target", {"type": "string", "format": "uuid"}, description="Whom or what it is about."),
    OpenApiParameter("from", {"type": "string", "format": "date-time"}, description="Included."),
    OpenApiParameter("to", {"type": "string", "format": "date-time"}, description="Not included."),
    ORGANIZATION,
]


class AuditView(ApiView):
    def permit(self) -> None:
        self.require(self.caller.reads_organization)

    def organization_of(self, query: dict[str, Any]) -> UUID | None:
        """Her own; for staff the one that is named, or None. To name another one than her own finds nothing."""
        named: UUID | None = query.get("organization")
        if self.caller.reads_everything:
            return named
        if named not in {None, self.caller.organization_id}:
            raise NotFound
        return self.caller.organization_id

    def selection(self, query: dict[str, Any]) -> Selection:
        return Selection(
            self.organization_of(query),
            type=query.get("type"),
            actor_id=query.get("actor"),
            subject_id=query.get("target"),
            since=query.get("from"),
            before=query.get("to"),
        )

    def stream(self, lines: Iterator[bytes], media_type: str, name: str) -> HttpResponseBase:
        response = StreamingHttpResponse(lines, content_type=f"{media_type}; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Cache-Control"] = "private, no-store"
        return response


class EventsView(AuditView):
    @extend_schema(
        operation_id="listAuditEvents",
        summary="What happened in the organization",
        description="By pages as JSON; all of it at once as lines of JSON or as CSV, which is itself audited. "
        "`format` says which, or else `Accept`.",
        tags=TAGS,
        parameters=[
            *SELECTION,
            OpenApiParameter("order", {"type": "string", "enum": ["newest", "oldest"], "default": "newest"}),
            OpenApiParameter("format", {"type": "string", "enum": list(FORMATS)}),
            OpenApiParameter(
                "cursor", {"type": "string", "format": "uuid"}, description="`next` of the page before. JSON only."
            ),
            PAGE_PARAMETERS[0],
        ],
        responses={
            (200, "application/json"): serializers.AuditEventPage,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            (200, "text/csv"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        query, limit = self.query(serializers.EventsQuery), self.page().limit
        selection, oldest_first = self.selection(query), query["order"] == "oldest"
        format_ = query.get("format") or self.accepted()
        response: HttpResponseBase
        if format_ == "json":
            found, more = exporting.page(selection, query.get("cursor"), limit, oldest_first=oldest_first)
            events = [as_json(event) for event in found]
            response = Response({"events": events, "limit": limit, "next": events[-1]["id"] if more else None})
        else:
            exporting.record_export(selection, "events", format_, actor=self.caller.actor)
            written = exporting.as_csv if format_ == "csv" else exporting.as_ndjson
            lines = written(selection, oldest_first=oldest_first)
            response = self.stream(lines, FORMATS[format_], f"audit-events.{format_}")
        patch_vary_headers(response, ["Accept"])
        return response

    def accepted(self) -> str:
        """The first that is named of those that there are."""
        named = [part.partition(";")[0].strip().lower() for part in self.request.headers.get("Accept", "").split(",")]
        of_media_type = {media_type: name for name, media_type in FORMATS.items()}
        return next((of_media_type[each] for each in named if each in of_media_type), "json")


class HeadsView(AuditView):
    @extend_schema(
        operation_id="listAuditHeads",
        summary="The heads of the organization's chain, newest first",
        description="Keep the newest of them now and then: with it anybody can tell later that nothing before it was "
        "changed, removed or slipped in. See docs/audit.md.",
        tags=TAGS,
        parameters=[ORGANIZATION, *PAGE_PARAMETERS],
        responses={200: serializers.AuditHeadPage},
    )
    def get(self, request: Request) -> Response:
        chain = self.organization_of(self.query(serializers.ChainQuery)) or NO_ORGANIZATION
        rows = Segment.objects.for_organization(chain).order_by("-number")
        keys = [heads.key_as_json(key) for key in AuditKey.objects.all()]
        return Response(self.page().of_queryset("heads", rows, heads.as_json, keys=keys))


class BundleView(AuditView):
    @extend_schema(
        operation_id="getAuditBundle",
        summary="Events with what proves them",
        description="Lines of JSON that `docs/verify_audit_bundle.py` checks without Cerply, also when the events have "
        "expired here. It has what is sealed. Each bundle is itself audited.",
        tags=TAGS,
        parameters=SELECTION,
        responses={(200, "application/x-ndjson"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        selection = self.selection(self.query(serializers.SelectionQuery))
        exporting.record_export(selection, "bundle", "ndjson", actor=self.caller.actor)
        return self.stream(bundle_of(selection, actor=self.caller.actor), FORMATS["ndjson"], "audit-bundle.ndjson")
