"""What the holder of a certificate does with it: her credential, who sees her name, links for whom she likes."""

import hashlib
from uuid import UUID

from django.http import HttpResponse
from django.utils.http import quote_etag
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply import clock
from cerply.errors import Gone, NotFound
from cerply.openapi import PAGE_PARAMETERS
from certificates import rendering, representation, serializers, sharing
from certificates.downloading import record_credential_download
from certificates.models import Certificate, ShareLink
from certificates.views import TAGS, CertificateView, GivenAwayView
from ops.api import ApiView

CREDENTIAL = "application/vc"


def credential_answer(certificate: Certificate) -> HttpResponse:
    """The credential, byte for byte; 410 once it is erased."""
    document = certificate.credential.document.encode()
    if not document:
        raise Gone(rendering.ERASED)
    answer = HttpResponse(document, content_type=CREDENTIAL)
    answer["Content-Disposition"] = f'attachment; filename="credential-{certificate.id}.json"'
    answer["ETag"] = quote_etag(hashlib.sha256(document).hexdigest())
    return answer


def require_holder(view: CertificateView) -> None:
    """403 for everybody but the learner: nobody's role is enough, wherever the certificate is."""
    caller = view.caller
    certificates = Certificate.objects.in_reach_of(caller).filter(id=view.kwargs["certificate_id"])
    is_holder = caller.is_member and certificates.filter(learner_id=caller.id_to_match).exists()
    view.require(is_holder, "Only the holder of a certificate may do this.")


class CredentialView(GivenAwayView):
    @extend_schema(
        operation_id="downloadCredential",
        summary="The certificate as a signed Open Badges 3.0 credential",
        description="304 when `If-None-Match` has its `ETag`; 410 when the certificate was revoked, or erased.",
        tags=TAGS,
        responses={(200, CREDENTIAL): OpenApiTypes.OBJECT, 304: None, 410: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, certificate_id: UUID) -> HttpResponse:
        answer = credential_answer(self.certificate)
        chosen = self.held(lambda: answer["ETag"]) or answer
        # Unlike the PDF it is asked for again each time: it may have been signed anew.
        chosen["Cache-Control"] = "private, no-cache"
        if chosen is answer and request.method == "GET":
            record_credential_download(self.certificate, actor=self.caller.actor)
        return chosen

    head = get


class OneCertificateView(CertificateView):
    def permit(self) -> None:
        if self.request.method == "PATCH":
            require_holder(self)
        else:
            super().permit()

    @extend_schema(
        operation_id="getCertificate",
        summary="One certificate",
        tags=TAGS,
        responses={200: serializers.OneCertificate},
    )
    def get(self, request: Request, certificate_id: UUID) -> Response:
        return Response(representation.one_certificate(self.certificate, clock.now()))

    @extend_schema(
        operation_id="changeCertificate",
        summary="Show or hide the name on the page for strangers",
        description="For the holder alone.",
        tags=TAGS,
        request=serializers.NameVisibility,
        responses={200: serializers.OneCertificate},
    )
    def patch(self, request: Request, certificate_id: UUID) -> Response:
        visible = self.valid(serializers.NameVisibility)["nameVisible"]
        sharing.show_name(certificate_id, visible, actor=self.caller.actor)
        self.certificate.name_visible = visible
        return Response(representation.one_certificate(self.certificate, clock.now()))


class HolderView(CertificateView):
    """For the learner herself."""

    def permit(self) -> None:
        require_holder(self)


class ShareLinksView(HolderView):
    # The answer holds a secret, which must not be kept.
    idempotent = False
    bodiless = frozenset({"POST"})

    @extend_schema(
        operation_id="listShareLinks",
        summary="The certificate's share links, newest first",
        description="For the holder alone. The links themselves cannot be shown again.",
        tags=TAGS,
        parameters=PAGE_PARAMETERS,
        responses={200: serializers.ShareLinkPage},
    )
    def get(self, request: Request, certificate_id: UUID) -> Response:
        rows = ShareLink.objects.in_reach_of(self.caller).filter(certificate_id=certificate_id)
        return Response(self.page().of_queryset("shareLinks", rows, representation.share_link))

    @extend_schema(
        operation_id="createShareLink",
        summary="A link for somebody who is to see the certificate",
        description="For the holder alone. Who has the link sees her name and gets the credential, as long as the "
        "certificate is neither revoked, suspended nor replaced, until she withdraws it.",
        tags=TAGS,
        request=None,
        responses={201: serializers.NewShareLink, 410: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request, certificate_id: UUID) -> Response:
        link, secret = sharing.share(self.certificate, actor=self.caller.actor)
        url = {"url": sharing.url_of(self.certificate, secret)}
        return Response(representation.share_link(link) | url, status=201, headers={"Cache-Control": "no-store"})


class ShareLinkView(HolderView):
    link: ShareLink

    def find(self) -> None:
        super().find()
        links = ShareLink.objects.in_reach_of(self.caller).filter(certificate=self.certificate)
        found = links.filter(id=self.kwargs["link_id"]).first()
        if found is None:
            raise NotFound("There is no such share link.")
        self.link = found

    @extend_schema(
        operation_id="withdrawShareLink",
        summary="Withdraw a share link: it shows nothing from now on",
        tags=TAGS,
        responses={204: None},
    )
    def delete(self, request: Request, certificate_id: UUID, link_id: UUID) -> Response:
        sharing.withdraw(self.link, actor=self.caller.actor)
        return Response(status=204)


class SharedCredentialView(ApiView):
    """For anyone to whom the holder has given a share link."""

    public = True
    rate_class = "verification"
    link: ShareLink

    def find(self) -> None:
        found = sharing.find(self.kwargs["secret"])
        if found is None:
            raise NotFound("There is no such share link.")
        if found.withdrawn_at:
            raise Gone("The share link was withdrawn.")
        if not sharing.shows_name(found.certificate, clock.now(), by_link=True):
            raise Gone("The certificate does not hold, and is not shown.")
        self.link = found

    @extend_schema(
        operation_id="getSharedCredential",
        summary="The credential that a share link gives",
        description="410 once the link is withdrawn, and while the certificate is revoked, suspended or replaced.",
        tags=TAGS,
        responses={(200, CREDENTIAL): OpenApiTypes.OBJECT, 410: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, secret: str) -> HttpResponse:
        answer = credential_answer(self.link.certificate)
        answer["Cache-Control"] = "no-store"
        if request.method == "GET":
            sharing.record_use(self.link, actor=self.caller.actor)
        return answer

    head = get
