"""What is true of a file: for programs. The page for people is in `certificates.pages`."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply.errors import BadRequest, PayloadTooLarge
from certificates import representation, serializers, verifying
from certificates.views import TAGS
from ops.api import ApiView

PDF = "application/pdf"
CREDENTIAL_TYPES = ("application/vc", "application/ld+json")


class VerifyFileView(ApiView):
    public = True
    idempotent = False
    rate_class = "files"
    body_limit = verifying.LARGEST_FILE
    content_types = (*CREDENTIAL_TYPES, PDF)

    @extend_schema(
        operation_id="verifyFile",
        summary="What is true of a credential or of a certificate's PDF",
        description="The body is the file itself: a credential of at most 64 KiB, or a PDF of at most 1 MiB. Nothing "
        "of it is kept. A file that is not genuine is no error: the answer says what is wrong with it.",
        tags=TAGS,
        request={
            "application/vc": OpenApiTypes.OBJECT,
            "application/ld+json": OpenApiTypes.OBJECT,
            "application/json": OpenApiTypes.OBJECT,
            PDF: OpenApiTypes.BINARY,
        },
        responses={200: serializers.FileVerdict},
    )
    def post(self, request: Request) -> Response:
        if self.body.is_empty:
            raise BadRequest("Send the credential or the PDF as the body.")
        if self.body.media_type == PDF:
            verdict = verifying.verify_pdf(self.body.raw)
        else:
            if len(self.body.raw) > verifying.LARGEST_CREDENTIAL:
                raise PayloadTooLarge("A credential is at most 64 KiB.")
            verdict = verifying.verify_credential(self.body.raw)
        return Response(representation.verdict(verdict), headers={"Cache-Control": "no-store"})
