"""What verifiers fetch: DID documents, keys, status lists, achievements, logos. Public, and the same for everyone.

These are documents, not calls of the API: no credential is looked at.
"""

from typing import Any, ClassVar
from uuid import UUID

from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply.accounts.pictures import LOGOS, logo_digest
from cerply.errors import NotFound
from cerply.permissions import ANONYMOUS, Caller
from cerply.tracks.models import TrackVersion
from cerply.views import ApiView
from certificates import issuers, openbadges, status_lists
from certificates.jsonld import CREDENTIALS_V2, OPEN_BADGES
from certificates.models import Issuer, StatusList

TAGS = ["verification"]
STATUS_LIST = "application/vc"
STATUS_LIST_JWT = "application/vc+jwt"
# What clients ask for instead, each an alias of one of the two.
JSON_TYPES = (STATUS_LIST, "application/json", "application/ld+json")
JWT_TYPES = (STATUS_LIST_JWT, "application/jwt")


class PublishedView(ApiView):
    http_method_names = ["get", "head", "options"]
    public = True
    rate_class: ClassVar[str] = "anonymous"
    caching: ClassVar[str] = "public, max-age=60"

    def authenticated(self) -> Caller:
        return ANONYMOUS

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        """Browsers ask before a page may send headers of its own, as verifiers do with ``Cache-Control``."""
        headers = {
            "Access-Control-Allow-Methods": "GET, HEAD",
            "Access-Control-Allow-Headers": "*",
            "Access-Control-Max-Age": "86400",
        }
        return Response(status=204, headers=headers)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Access-Control-Allow-Origin"] = "*"
        if response.status_code == 200:
            response["Cache-Control"] = self.caching
        response["Vary"] = "Accept"
        return response


class IssuerDocumentView(PublishedView):
    issuer: Issuer

    def find(self) -> None:
        found = Issuer.objects.select_related("organization").filter(id=self.kwargs["issuer_id"]).first()
        if found is None:
            raise NotFound("There is no such issuer.")
        self.issuer = found


class DidDocumentView(IssuerDocumentView):
    @extend_schema(
        operation_id="getDidDocument",
        summary="The DID document of an issuer",
        description="Where `did:web` looks for it. Keys that are retired stay in it; a compromised one is not in it.",
        tags=TAGS,
        responses={(200, "application/did+json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, issuer_id: UUID) -> Response:
        document = issuers.did_document(self.issuer, issuers.trusted_keys(self.issuer))
        return Response(document, content_type="application/did+json")


class KeySetView(IssuerDocumentView):
    @extend_schema(
        operation_id="getIssuerKeys",
        summary="The same keys as a JWK Set",
        tags=TAGS,
        responses={(200, "application/jwk-set+json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, issuer_id: UUID) -> Response:
        keys = issuers.key_set(self.issuer, issuers.trusted_keys(self.issuer))
        return Response(keys, content_type="application/jwk-set+json")


class StatusListView(PublishedView):
    status_list: StatusList

    def find(self) -> None:
        found = StatusList.objects.select_related("issuer").filter(id=self.kwargs["status_list_id"]).first()
        if found is None:
            raise NotFound("There is no such status list.")
        self.status_list = found

    @extend_schema(
        operation_id="getStatusList",
        summary="A Bitstring Status List: which credentials do not hold",
        description="With a Data Integrity proof; as a JWT where `Accept` prefers `application/vc+jwt`.",
        tags=TAGS,
        responses={(200, STATUS_LIST): OpenApiTypes.OBJECT, (200, STATUS_LIST_JWT): OpenApiTypes.STR},
    )
    def get(self, request: Request, status_list_id: UUID) -> HttpResponse:
        preferred = request._request.get_preferred_type([*JSON_TYPES, *JWT_TYPES])
        current = status_lists.current(self.status_list)
        if preferred in JWT_TYPES:
            return HttpResponse(current.jwt, content_type=STATUS_LIST_JWT)
        return HttpResponse(current.document, content_type=preferred or STATUS_LIST)


class AchievementView(PublishedView):
    """What a credential's ``achievement.id`` leads to."""

    version: TrackVersion

    def find(self) -> None:
        found = TrackVersion.objects.filter(id=self.kwargs["achievement_id"]).first()
        if found is None:
            raise NotFound("There is no such achievement.")
        self.version = found

    @extend_schema(
        operation_id="getAchievement",
        summary="What an achievement is: its criteria, and which version of its track",
        tags=TAGS,
        responses={(200, "application/json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, achievement_id: UUID) -> Response:
        achievement = openbadges.achievement_of_track(self.version)
        return Response({"@context": [CREDENTIALS_V2, OPEN_BADGES], **achievement})


class PictureView(PublishedView):
    """A logo, under the hash of its content: what an address shows never changes."""

    caching = "public, max-age=31536000, immutable"
    content: bytes

    def find(self) -> None:
        name = f"{LOGOS}/{self.kwargs['name']}"
        try:
            if logo_digest(name) is None:
                raise FileNotFoundError
            with default_storage.open(name) as file:
                self.content = bytes(file.read())
        except FileNotFoundError:
            raise NotFound("There is no such picture.") from None

    @extend_schema(
        operation_id="getPicture",
        summary="The logo of an issuer, as its credentials name it",
        description="`{name}` is the SHA-256 of the picture in hex, and `.png`. It may be kept for ever.",
        tags=TAGS,
        responses={(200, "image/png"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        return HttpResponse(self.content, content_type="image/png")
