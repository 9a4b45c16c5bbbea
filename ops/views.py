"""What those who run and integrate the service ask it."""

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.middleware.csp import get_nonce
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.csp import CSP, build_policy
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit import kpis, rounds
from cerply import clock
from cerply.errors import Forbidden, Invalid, ServiceUnavailable, Unauthorized
from cerply.openapi import Error
from cerply.permissions import ANONYMOUS, Caller, Role
from cerply.views import ApiView
from ops import features, health
from ops.serializers import (
    FlagsSerializer,
    HealthSerializer,
    KpisSerializer,
    LiveSerializer,
    ReadySerializer,
    VersionSerializer,
    camel,
)


class UnlimitedView(ApiView):
    """For load balancers, which share an address with all the clients that they stand for."""

    public = True

    def check_rate(self) -> None:
        pass


class HealthView(UnlimitedView):
    @extend_schema(summary="Does it answer?", tags=["operations"], responses=HealthSerializer)
    def get(self, request: Request) -> Response:
        return Response({"ok": True, "version": settings.VERSION})


class LiveView(UnlimitedView):
    """Touches nothing: no database, no session. Who asks does not matter, so no credential is looked at."""

    def authenticated(self) -> Caller:
        return ANONYMOUS

    @extend_schema(summary="Is the process alive?", tags=["operations"], responses=LiveSerializer)
    def get(self, request: Request) -> Response:
        return Response({"ok": True})


class ReadyView(UnlimitedView):
    @extend_schema(
        summary="Are database and storage there?",
        description="503 when not. The job worker's age, and what the audit's verification found, are for information.",
        tags=["operations"],
        responses=ReadySerializer,
    )
    def get(self, request: Request) -> Response:
        if problems := health.problems():
            raise ServiceUnavailable("Not ready.", details=problems, headers={"Retry-After": "1"})
        worker = {"ageSeconds": health.worker_age_seconds()}
        verified = rounds.state_if_known()
        moment = clock.rfc3339(verified.finished_at) if verified.finished_at else None
        audit = {"verifiedAt": moment, "problems": verified.problems}
        return Response({"ok": True, "database": True, "storage": True, "worker": worker, "audit": audit})


class KpisView(ApiView):
    public = True

    @property
    def of_organization(self) -> bool:
        return self.request.query_params.get("scope") == "organization"

    def permit(self) -> None:
        if self.caller.is_anonymous and (self.of_organization or settings.KPIS_REQUIRE_AUTH):
            raise Unauthorized()
        if self.of_organization:
            self.require(self.caller.role in {Role.MANAGER, Role.ADMIN})
        elif settings.KPIS_REQUIRE_AUTH and not self.caller.reads_everything:
            raise Forbidden("Only staff may see the platform's totals. Ask with ?scope=organization for yours.")

    @extend_schema(
        summary="The counters",
        description="Exact, from what was committed: the platform's, or those of the caller's organization.",
        tags=["operations"],
        parameters=[
            OpenApiParameter(
                "scope",
                enum=["organization"],
                description="`organization`: the caller's own, for managers and admins. Left out: the platform's.",
            )
        ],
        responses={200: KpisSerializer, 403: Error},
    )
    def get(self, request: Request) -> Response:
        if "scope" in request.query_params and not self.of_organization:
            raise Invalid({"scope": ["Give `organization`, or leave it out."]})
        organization_id = self.caller.organization_id if self.of_organization else None
        return Response({"epic7": kpis.totals(organization_id), "generated_at": clock.rfc3339(clock.now())})


class FlagsView(ApiView):
    public = True

    @extend_schema(
        summary="Each feature, on or off, and why",
        description="Signed in: for the caller's organization. Otherwise what the switches for everyone say.",
        tags=["operations"],
        responses=FlagsSerializer,
    )
    def get(self, request: Request) -> Response:
        decisions = features.decisions(self.caller.organization_id)
        return Response(
            {
                "features": {
                    camel(feature.value): {"on": decision.on, "reason": decision.reason}
                    for feature, decision in decisions.items()
                }
            }
        )


class VersionView(ApiView):
    public = True

    @extend_schema(summary="Which version runs", tags=["operations"], responses=VersionSerializer)
    def get(self, request: Request) -> Response:
        return Response(
            {
                "version": settings.VERSION,
                "revision": settings.IMAGE_REVISION,
                "created": settings.IMAGE_CREATED,
                "tag": settings.IMAGE_TAG,
            }
        )


@cache
def schema_document() -> bytes:
    """The OpenAPI document. It follows from the code alone, so each process makes it once."""
    document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return bytes(OpenApiJsonRenderer().render(document, renderer_context={}))


class SchemaView(ApiView):
    public = True

    @extend_schema(summary="This document", tags=["operations"], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(schema_document(), content_type="application/json")


class DocsView(ApiView):
    """The page is drf-spectacular's, with its files from here and not from a CDN."""

    public = True

    @extend_schema(
        summary="A page to read and try the API", tags=["operations"], responses={(200, "text/html"): OpenApiTypes.STR}
    )
    def get(self, request: Request) -> HttpResponse:
        nonce = get_nonce(request._request)
        files = "drf_spectacular_sidecar/swagger-ui-dist"
        context: dict[str, Any] = {
            "title": settings.SPECTACULAR_SETTINGS["TITLE"],
            "swagger_ui_css": static(f"{files}/swagger-ui.css"),
            "swagger_ui_bundle": static(f"{files}/swagger-ui-bundle.js"),
            "swagger_ui_standalone": static(f"{files}/swagger-ui-standalone-preset.js"),
            "favicon_href": static(f"{files}/favicon-32x32.png"),
            "schema_url": reverse("schema"),
            "settings": '{"deepLinking": true, "persistAuthorization": false}',
            "schema_auth_names": "[]",
            "template_name_js": "drf_spectacular/swagger_ui.js",
            "csrf_header_name": "X-CSRFToken",
            "csp_nonce": nonce,
        }
        response = render(request._request, "drf_spectacular/swagger_ui.html", context)
        response.headers[CSP.HEADER_ENFORCE] = build_policy(settings.DOCS_CSP, nonce)
        return response
