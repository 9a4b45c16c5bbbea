"""The pages for strangers: how a certificate stands, what is true of a file. They need neither login nor scripts."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import formats, translation
from django.utils.cache import patch_vary_headers
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from cerply import clock
from cerply.errors import RateLimited, ServiceUnavailable
from cerply.identifiers import parse_uuid
from cerply.languages import LANGUAGES, direction, preferred
from cerply.parsers import read_body
from cerply.permissions import ANONYMOUS
from cerply.throttling import client_address, spend
from certificates import issuers, sharing, verifying
from certificates.models import Certificate, Credential, RevocationCode, ShareLink, Status
from certificates.sentences import say
from certificates.signed import SignedContent
from certificates.verifying import Check, What

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
# What a form adds to the file.
LARGEST_FORM = verifying.LARGEST_FILE + 64 * 1024
UNCONFIRMED = "unconfirmed"
# How the colour of a headline is chosen; it never says anything alone.
TONES = {
    Status.VALID: "good",
    Status.EXPIRED: "warn",
    Status.SUSPENDED: "warn",
    Status.REPLACED: "warn",
    Status.REVOKED: "bad",
}


class PageView(View):
    """A page in the visitor's language: counted by address, kept by nobody, left out by search engines."""

    http_method_names: ClassVar[list[str]] = ["get", "head", "post"]  # type: ignore[misc]
    language: str

    @property
    def rate_class(self) -> str:
        return "verification"

    @method_decorator(csrf_exempt)  # a form without a session: there is nothing to forge
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        chosen = request.GET.get("lang", "")
        self.language = chosen if chosen in LANGUAGES else preferred(request.headers.get("Accept-Language", ""))
        response: HttpResponseBase
        try:
            spend(self.rate_class, client_address(request))
            response = super().dispatch(request, *args, **kwargs)
        except RateLimited as exc:
            wait = exc.headers["Retry-After"]
            response = self.message("limited", self.say("limited.more", seconds=wait), 429)
            response["Retry-After"] = wait
        except (OperationalError, InterfaceError, ServiceUnavailable):
            response = self.message("unavailable", self.say("unavailable.more"), 503)
        for name, value in HEADERS.items():
            response[name] = value
        response["Content-Language"] = self.language
        patch_vary_headers(response, ["Accept-Language", "Cookie"])
        return response

    def say(self, key: str, **arguments: str) -> str:
        return say(key, self.language, **arguments)

    def date(self, moment: datetime) -> str:
        """The day in UTC, as the language writes it."""
        with translation.override(self.language):
            return formats.date_format(moment.astimezone(UTC), "j F Y" if self.language == "en" else "DATE_FORMAT")

    def message(self, key: str, more: str, status: int) -> HttpResponse:
        return self.page("message", {"headline": self.say(key), "more": more, "tone": "none"}, status)

    def page(self, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
        kept = {"share": self.request.GET["share"]} if "share" in self.request.GET else {}
        everywhere = {
            "language": self.language,
            "direction": direction(self.language),
            "languages": [(code, own, urlencode({"lang": code} | kept)) for code, own in LANGUAGES.items()],
        }
        return render(self.request, f"certificates/pages/{name}.html", everywhere | context, status=status)

    def checks(self, checks: Iterable[Check]) -> list[tuple[str, bool, str]]:
        return [
            (self.say(f"check.{check.what}"), check.passed, self.say(check.sentence, **check.arguments))
            for check in checks
        ]

    def facts(self, signed: SignedContent, credential: Credential) -> dict[str, Any]:
        """What is shown of signed content, save the name."""
        return {
            "signed": signed,
            "source": self.say(f"source.{signed.source}"),
            "issued": self.date(signed.issued_at),
            "expires": self.date(signed.valid_until) if signed.valid_until else self.say("expires.never"),
            "number": credential.id,
            "issuer": credential.issuer,
            "identity": "checked" if credential.issuer.is_checked_as(signed.organization_name) else "unchecked",
            "did_document": issuers.did_document_url(credential.issuer),
        }


class CertificatePage(PageView):
    """What the code on a certificate leads to."""

    def get(self, request: HttpRequest, certificate_id: str) -> HttpResponse:
        key = parse_uuid(certificate_id)
        certificates = Certificate.objects.select_related(
            "credential__key", "credential__issuer", "credential__status_list", "track_version"
        )
        certificate = certificates.filter(id=key).first() if key else None
        if certificate is None:
            return self.message("headline.unknown", self.say("status.unknown"), 404)
        now, credential = clock.now(), certificate.credential
        status, checks = certificate.status_at(now), verifying.credential_checks(credential)
        if not all(check.passed for check in checks if check.what is not What.STATUS):
            # What it says may not be what was signed: none of it is repeated.
            state = Status.REVOKED if status is Status.REVOKED else UNCONFIRMED
            return self.page("message", self.headline(certificate, state) | {"checks": self.checks(checks)})
        signed = verifying.signed_content(credential) or verifying.content_of_rows(certificate)
        link = self.link_to(certificate)
        by_link = link is not None and sharing.shows_name(certificate, now, by_link=True)
        context = self.headline(certificate, status) | self.facts(signed, credential)
        context |= {
            "checks": self.checks(checks),
            "erased": not credential.document,
            "name": signed.learner_name if by_link or sharing.shows_name(certificate, now) else None,
            "share": request.GET["share"] if by_link and credential.document else None,
            "status_list": credential.status_list.url,
            "status_index": credential.status_index,
            "linkedin": self.linkedin(certificate, status),
        }
        if link and by_link and request.method == "GET":
            sharing.record_use(link, actor=ANONYMOUS.actor)
        return self.page("certificate", context)

    def headline(self, certificate: Certificate, state: str) -> dict[str, Any]:
        dates = {
            Status.EXPIRED: certificate.expires_at,
            Status.REVOKED: certificate.revoked_at,
            Status.REPLACED: certificate.replaced_at,
        }
        when = dates.get(Status(state)) if state in Status.values else None
        day = self.date(when) if when else ""
        more = self.say(f"status.{state}", date=day)
        if state == Status.REVOKED and certificate.code != RevocationCode.OTHER:
            more += f" {self.say(f'revoked.{certificate.code}')}"
        return {
            "headline": self.say("headline.revoked.on" if state == Status.REVOKED else f"headline.{state}", date=day),
            "more": more,
            "tone": TONES[Status(state)] if state in Status.values else "none",
        }

    def linkedin(self, certificate: Certificate, state: str) -> str | None:
        """For the holder alone, of what she may show."""
        shows = state in (Status.VALID, Status.EXPIRED) and self.request.user.pk == certificate.learner_id
        return sharing.linkedin_url(certificate) if shows else None

    def link_to(self, certificate: Certificate) -> ShareLink | None:
        """The share link that brought the visitor here, if it still counts."""
        secret = self.request.GET.get("share")
        link = sharing.find(secret) if secret else None
        usable = link and link.certificate_id == certificate.id and not link.withdrawn_at
        return link if usable else None


class FilePage(PageView):
    """Where a file can be checked."""

    @property
    def rate_class(self) -> str:
        return "files" if self.request.method == "POST" else "verification"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page("file", {})

    def post(self, request: HttpRequest) -> HttpResponse:
        if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_FORM:
            read_body(request, LARGEST_FORM)  # so that she sees the answer
            return self.page("file", {"error": self.say("file.size")}, 413)
        file = self.uploaded(request)
        if file is None or not file.size:
            return self.page("file", {"error": self.say("file.missing")}, 400)
        if file.size > verifying.LARGEST_FILE:
            return self.page("file", {"error": self.say("file.size")}, 413)
        verdict = verifying.verify_file(file.read())
        headline, more = (self.say(key) for key in verdict.sentences)
        tone = {"verdict.genuine": "good", "verdict.false": "bad"}.get(verdict.sentences[0], "warn")
        context: dict[str, Any] = {"headline": headline, "more": more, "tone": tone}
        context["checks"] = self.checks(verdict.checks)
        if verdict.signed and verdict.credential:
            context |= self.facts(verdict.signed, verdict.credential)
            context |= {"name": verdict.signed.learner_name, "erased": not verdict.credential.document}
        return self.page("result", context)

    def uploaded(self, request: HttpRequest) -> "UploadedFile[Any] | None":
        try:
            return request.FILES.get("file")
        except (MultiPartParserError, SuspiciousOperation):
            return None
