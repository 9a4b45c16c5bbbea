"""Certificates: listed, downloaded, verified by anyone, revoked."""

from uuid import UUID

from django.http import HttpResponse
from django.utils.http import quote_etag
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply import clock
from cerply.accounts.access import LearnerView
from cerply.errors import BadRequest, Gone, NotFound
from cerply.openapi import PAGE_PARAMETERS
from certificates import rendering, representation, serializers
from certificates.downloading import count_download, count_failure
from certificates.models import Certificate, RevocationCode
from certificates.replacing import replace
from certificates.revoking import revoke
from certificates.signing import is_genuine
from certificates.suspending import reinstate, suspend
from ops.api import ApiView
from ops.features import Feature

TAGS = ["certificates"]


class LearnerCertificatesView(LearnerView):
    feature = Feature.CERTIFICATES
    empty_for_unknown = True

    @extend_schema(
        operation_id="listLearnerCertificates",
        summary="A learner's certificates, newest first",
        tags=TAGS,
        parameters=PAGE_PARAMETERS,
        responses={200: serializers.CertificatePage},
    )
    def get(self, request: Request, learner_id: UUID) -> Response:
        rows = Certificate.objects.in_reach_of(self.caller).filter(learner_id=learner_id).select_related("credential")
        now = clock.now()
        return Response(self.page().of_queryset("certificates", rows, lambda row: representation.certificate(row, now)))


class CertificatesView(ApiView):
    def permit(self) -> None:
        self.require(self.caller.reads_organization)

    @extend_schema(
        operation_id="listCertificates",
        summary="The organization's certificates, newest first",
        tags=TAGS,
        parameters=[
            OpenApiParameter("track", {"type": "string", "format": "uuid"}),
            OpenApiParameter("status", {"$ref": "#/components/schemas/CertificateStatus"}),
            OpenApiParameter(
                "asOf",
                {"type": "string", "format": "date-time"},
                description="Those that were issued by then, with the status that they had then.",
            ),
            *PAGE_PARAMETERS,
        ],
        responses={200: serializers.HeldCertificatePage},
    )
    def get(self, request: Request) -> Response:
        query, page = self.query(serializers.CertificateQuery), self.page()
        moment = query.get("asOf") or clock.now()
        rows = Certificate.objects.in_reach_of(self.caller).select_related("credential")
        if "asOf" in query:
            rows = rows.issued_by(moment).with_suspensions()
        if "track" in query:
            rows = rows.filter(track_id=query["track"])
        if "status" in query:
            rows = rows.with_status(query["status"], moment)
        return Response(
            page.of_queryset("certificates", rows, lambda row: representation.held_certificate(row, moment))
        )


class CertificateView(ApiView):
    """For the holder, and who may see her certificates."""

    certificate: Certificate

    def permit(self) -> None:
        if not self.caller.reads_organization:
            visible = Certificate.objects.visible_to(self.caller).filter(id=self.kwargs["certificate_id"])
            self.require(visible.exists(), "You may not see this certificate.")

    def find(self) -> None:
        certificates = Certificate.objects.in_reach_of(self.caller).select_related("credential")
        found = certificates.filter(id=self.kwargs["certificate_id"]).first()
        if found is None:
            raise NotFound("There is no such certificate.")
        self.certificate = found


class GivenAwayView(CertificateView):
    """What they get of it; nobody does once it is revoked, or erased."""

    def find(self) -> None:
        super().find()
        if self.certificate.revoked_at:
            raise Gone("The certificate was revoked.")
        if self.certificate.erased_at:
            raise Gone(rendering.ERASED)


class DownloadView(GivenAwayView):
    @extend_schema(
        operation_id="downloadCertificate",
        summary="The certificate as a PDF",
        description="The same bytes every time. 304 when `If-None-Match` has its `ETag`; 410 when it was revoked, or "
        "erased.",
        tags=TAGS,
        responses={(200, "application/pdf"): OpenApiTypes.BINARY, 304: None, 410: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, certificate_id: UUID) -> HttpResponse:
        with count_failure():
            content, digest = rendering.pdf_of(certificate_id)
        answer = HttpResponse(content, content_type="application/pdf")
        answer["Content-Disposition"] = f'attachment; filename="certificate-{certificate_id}.pdf"'
        answer["ETag"] = quote_etag(digest)
        chosen = self.held(lambda: answer["ETag"]) or answer
        chosen["Cache-Control"] = "private, max-age=3600"
        if chosen is answer and request.method == "GET":
            # Not when the client has it already.
            count_download(self.certificate, actor=self.caller.actor)
        return chosen

    head = get


class VerifyView(ApiView):
    """For anyone who was shown a certificate; it says as much as the certificate itself, and how it stands now."""

    public = True
    rate_class = "verification"

    def find(self) -> None:
        rows = Certificate.objects.select_related("credential__key").filter(id=self.kwargs["certificate_id"])
        found = rows.first()
        if found is None:
            raise NotFound("There is no such certificate.")
        self.certificate = found

    @extend_schema(
        operation_id="verifyCertificate",
        summary="Is this certificate genuine, and does it still hold?",
        tags=TAGS,
        parameters=[OpenApiParameter("signature", str, required=True, description="As the certificate bears it.")],
        responses={
            200: PolymorphicProxySerializer("Verification", [serializers.Verified, serializers.NotGenuine], None)
        },
    )
    def get(self, request: Request, certificate_id: UUID) -> Response:
        signature = request.query_params.get("signature")
        if not signature:
            raise BadRequest("Give the certificate's signature.", details={"signature": ["This field is required."]})
        if not is_genuine(self.certificate.credential, signature):
            body = representation.NOT_GENUINE
        else:
            body = representation.verified(self.certificate, clock.now())
        return Response(body, headers={"Cache-Control": "no-store"})


class StandingView(ApiView):
    """Routes by which the organization's admin changes how a certificate stands; no feature switches them off."""

    def permit(self) -> None:
        self.require(self.caller.administers)

    def find(self) -> None:
        certificates = Certificate.objects.in_reach_of(self.caller)
        if not certificates.filter(id=self.kwargs["certificate_id"]).exists():
            raise NotFound("There is no such certificate.")


class RevokeView(StandingView):
    @extend_schema(
        operation_id="revokeCertificate",
        summary="Revoke a certificate, for good",
        description="Revoked already: the first revocation's answer.",
        tags=TAGS,
        request=serializers.RevocationInput,
        responses={200: serializers.Revoked},
    )
    def post(self, request: Request, certificate_id: UUID) -> Response:
        given = self.valid(serializers.RevocationInput)
        code = RevocationCode(given["code"])
        done = revoke(certificate_id, given["reason"], code=code, actor=self.caller.actor)
        return Response(representation.revoked(done))


class SuspendView(StandingView):
    @extend_schema(
        operation_id="suspendCertificate",
        summary="Suspend a certificate, until it is reinstated",
        description="Suspended already: the suspension that lasts. 409 when it is revoked or replaced.",
        tags=TAGS,
        request=serializers.ReasonInput,
        responses={200: serializers.Suspension},
    )
    def post(self, request: Request, certificate_id: UUID) -> Response:
        reason = self.valid(serializers.ReasonInput)["reason"]
        return Response(representation.suspension(suspend(certificate_id, reason, actor=self.caller.actor)))


class ReinstateView(StandingView):
    @extend_schema(
        operation_id="reinstateCertificate",
        summary="End a certificate's suspension",
        description="Reinstated already: the suspension that ended last. 409 when it is revoked or was not suspended.",
        tags=TAGS,
        request=serializers.ReasonInput,
        responses={200: serializers.Suspension},
    )
    def post(self, request: Request, certificate_id: UUID) -> Response:
        reason = self.valid(serializers.ReasonInput)["reason"]
        return Response(representation.suspension(reinstate(certificate_id, reason, actor=self.caller.actor)))


class ReplaceView(StandingView):
    @extend_schema(
        operation_id="replaceCertificate",
        summary="Issue a certificate again with the right name",
        description="The new one has the same dates, and the old one no longer holds. Replaced already: the answer of "
        "that time. 409 when it does not hold, is renewed, or bears the name already.",
        tags=TAGS,
        request=serializers.ReplacementInput,
        responses={200: serializers.Replaced},
    )
    def post(self, request: Request, certificate_id: UUID) -> Response:
        given = self.valid(serializers.ReplacementInput)
        name = given.get("learnerName")
        done = replace(certificate_id, given["reason"], learner_name=name, actor=self.caller.actor)
        return Response(representation.replaced(done, clock.now()))
