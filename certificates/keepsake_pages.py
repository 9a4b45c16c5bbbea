"""The page of somebody who has left: her certificates, for whoever has her link."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from cerply import clock
from cerply.errors import Gone
from cerply.identifiers import parse_uuid
from certificates import bundling, keepsakes, rendering
from certificates.downloading import count_download, count_failure, record_credential_download
from certificates.models import Certificate, Keepsake, Status
from certificates.pages import TONES, PageView
from certificates.wording import language_of


class KeepsakeView(PageView, ABC):
    http_method_names: ClassVar[list[str]] = ["get", "head"]  # type: ignore[misc]
    keepsake: Keepsake

    def get(self, request: HttpRequest, secret: str, **kwargs: str) -> HttpResponseBase:
        found = keepsakes.find(secret)
        if found is None:
            return self.message("keep.unknown", self.say("keep.unknown.more"), 404)
        if found.withdrawn_at:
            return self.message("keep.withdrawn", self.say("keep.withdrawn.more"), 410)
        self.keepsake = found
        return self.show(**kwargs)

    @abstractmethod
    def show(self, **kwargs: str) -> HttpResponseBase: ...


class KeepsakePage(KeepsakeView):
    """Her certificates, how each stands, and what there is of it to download."""

    def show(self, **kwargs: str) -> HttpResponse:
        if self.request.method == "GET":
            keepsakes.record_use(self.keepsake)
        rows = [self.row(certificate) for certificate in keepsakes.kept_by(self.keepsake.learner)]
        context = {"rows": rows, "organization": self.keepsake.organization.name, "name": self.keepsake.learner.name}
        return self.page("keepsake", context | {"secret": self.kwargs["secret"]})

    def row(self, certificate: Certificate) -> dict[str, Any]:
        status = certificate.status_at(clock.now())
        expires = certificate.expires_at
        return {
            "certificate": certificate,
            "status": self.say(f"headline.{status}"),
            "tone": TONES[status],
            "issued": self.date(certificate.issued_at),
            "expires": self.date(expires) if expires else self.say("expires.never"),
            "is_given": status is not Status.REVOKED,
        }


class KeptFileView(KeepsakeView):
    """A file of one of the certificates, which counts as a download by the link."""

    def show(self, **kwargs: str) -> HttpResponse:
        key = parse_uuid(kwargs["certificate_id"])
        certificates = keepsakes.kept_by(self.keepsake.learner).filter(revoked_at=None)
        certificates = certificates.select_related("credential__issuer", "credential__status_list__issuer")
        certificate = certificates.filter(id=key).first() if key else None
        if certificate is None:
            return self.gone()
        try:
            answer = self.file(certificate)
        except Gone:  # erased in this moment
            return self.gone()
        name = f"certificate-{certificate.id}.{self.suffix}"
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    suffix = ""

    def gone(self) -> HttpResponse:
        return self.message("keep.gone", self.say("keep.gone.more"), 410)

    @abstractmethod
    def file(self, certificate: Certificate) -> HttpResponse: ...


class KeptPdf(KeptFileView):
    suffix = "pdf"

    def file(self, certificate: Certificate) -> HttpResponse:
        with count_failure():
            content, _ = rendering.pdf_of(certificate.id)
        if self.request.method == "GET":
            count_download(certificate, actor=keepsakes.BY_LINK)
        return HttpResponse(content, content_type="application/pdf")


class KeptBundle(KeptFileView):
    suffix = "zip"

    def file(self, certificate: Certificate) -> HttpResponse:
        with count_failure():
            content = bundling.bundle_of(certificate, language_of(self.keepsake.learner.locale))
        if self.request.method == "GET":
            count_download(certificate, actor=keepsakes.BY_LINK)
            record_credential_download(certificate, actor=keepsakes.BY_LINK)
        return HttpResponse(content, content_type="application/zip")
