"""Certificates, issuers and signing keys, for staff."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from cerply import clock
from cerply.accounts.models import User
from cerply.console import DayFilter, NothingForm, Question, ReadOnlyAdmin, actor_of, ask, change_url
from certificates import design_admin as _design_admin  # noqa: F401 - registers itself
from certificates import identity, keys
from certificates import keepsake_admin as _keepsake_admin  # noqa: F401 - registers itself
from certificates.admin_erasing import ErasingActions
from certificates.models import Certificate, CertificateQuerySet, Credential, Issuer, SigningKey, Status
from certificates.revoking import can_be_revoked
from certificates.suspending import can_be_reinstated, can_be_suspended


class StatusFilter(DropdownFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, str(status.label)) for status in Status]

    def queryset(self, request: HttpRequest, queryset: CertificateQuerySet) -> CertificateQuerySet:
        value = self.value()
        return queryset.with_status(Status(value), clock.now()) if value in Status.values else queryset


@admin.register(Certificate)
class CertificateAdmin(ErasingActions):
    list_display = ["learner_name", "track_title", "organization", "status", "issued_at", "revoked_at"]
    list_select_related = ["organization"]
    list_filter = [
        ("organization", AutocompleteSelectFilter),
        StatusFilter,
        ("issued_at", DayFilter),
    ]
    sortable_by = ()
    search_fields = ["id"]
    search_help_text = "The whole id of a certificate, of its learner or of its track; or the learner's e-mail address."
    fields = [
        "id",
        "status",
        "learner_name",
        "track_title",
        "organization",
        "source",
        "issued_at",
        "expires_at",
        "revoked_at",
        "revocation_code",
        "revocation_reason",
        "suspended_at",
        "replaced_at",
        "replacement_reason",
        "replaces",
        "replaced_by",
        "erased_at",
        "signing_key",
        "signature",
        "name_visible",
        "page",
        "verification",
        "download",
    ]
    readonly_fields = ["status", "signing_key", "signature", "page", "verification", "download"]
    actions_detail = [*ErasingActions.lifetime_actions, "erase_certificate", "trail"]

    def unfit_actions(self, row: Certificate) -> Collection[str]:
        fit = {"revoke": can_be_revoked, "suspend": can_be_suspended, "reinstate": can_be_reinstated}
        unfit = [name for name, can_be in fit.items() if not can_be(row)]
        return [*unfit, "replace", "erase"] if row.erased_at else unfit

    def find(self, queryset: QuerySet[Certificate], term: str, key: UUID | None) -> QuerySet[Certificate]:
        """Exact matches alone: each of them is a look into an index."""
        if key:
            return queryset.filter(id=key) | queryset.filter(learner_id=key) | queryset.filter(track_id=key)
        return queryset.filter(learner__in=User.objects.with_address(term).values("id"))

    @admin.display(description="status")
    def status(self, certificate: Certificate) -> str:
        return str(certificate.status_at(clock.now()).label)

    @admin.display(description="signed with key")
    def signing_key(self, certificate: Certificate) -> str:
        key = certificate.credential.key
        return format_html('<a href="{}">{}</a>', change_url(key), key)

    @admin.display(description="page for strangers")
    def page(self, certificate: Certificate) -> str:
        return format_html('<a href="{}">what strangers see</a>', certificate.printed_url)

    @admin.display(description="verification")
    def verification(self, certificate: Certificate) -> str:
        return format_html('<a href="{}">what programs read</a>', certificate.verification_url)

    @admin.display(description="PDF")
    def download(self, certificate: Certificate) -> str:
        return format_html('<a href="{}">download</a>', certificate.download_url)


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    list_display = ["organization", "id", "state", "created_at", "retired_at"]
    list_select_related = ["organization"]
    list_filter = [("organization", AutocompleteSelectFilter)]
    search_fields = ["organization__name"]
    search_help_text = "The whole id of a key or of its organization, or how the organization's name begins."
    fields = ["id", "organization", "state", "public", "created_at", "retired_at", "compromised_at"]
    readonly_fields = ["state", "public"]
    actions_detail = ["rotate_key", "compromise_key", "trail"]

    def unfit_actions(self, row: SigningKey) -> Collection[str]:
        """A retired key has been replaced already."""
        done = {"rotate": row.retired_at, "compromise": row.compromised_at}
        return [name for name, moment in done.items() if moment]

    def find(self, queryset: QuerySet[SigningKey], term: str, key: UUID | None) -> QuerySet[SigningKey]:
        if key:
            return queryset.filter(id=key) | queryset.filter(organization_id=key)
        return queryset.filter(organization__name__istartswith=term)

    @admin.display(description="state")
    def state(self, key: SigningKey) -> str:
        if key.compromised_at:
            return "compromised, nothing that it signed counts"
        return "signs" if key.retired_at is None else "retired, still verifies"

    @admin.display(description="public key (hex)")
    def public(self, key: SigningKey) -> str:
        return bytes(key.public_key).hex()

    @action(description="Rotate", url_path="rotate")
    def rotate_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = get_object_or_404(SigningKey.objects.select_related("organization"), pk=object_id)
        if key.retired_at:
            messages.info(request, "This key is retired already. Rotate the one that signs.")
            return HttpResponseRedirect(change_url(key))
        question = Question(
            title=f"A new signing key for {key.organization}?",
            button="Rotate",
            says=[
                "From now on certificates are signed with a new key.",
                "Those that are signed already stay valid: the public half of the old key is kept.",
            ],
            form=NothingForm,
        )

        def do(values: dict[str, Any]) -> str:
            new = keys.rotate(key.organization_id, actor=actor_of(request.user))
            return f"{key.organization} signs with key {new.id} from now on."

        return ask(request, self, question, do, change_url(key))

    @action(description="Compromised", url_path="compromise")
    def compromise_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = get_object_or_404(SigningKey.objects.select_related("organization"), pk=object_id)
        if key.compromised_at:
            messages.info(request, f"It counts as compromised since {key.compromised_at:%Y-%m-%d %H:%M} UTC.")
            return HttpResponseRedirect(change_url(key))
        signed = Credential.objects.filter(key=key).exclude(document="").count()
        erased = Credential.objects.filter(key=key, document="").count()
        question = Question(
            title=f"Does somebody else have this key of {key.organization}?",
            button="It is compromised",
            says=[
                "From now on nothing that this key signed verifies anywhere, whenever it was signed. This is for good.",
                "Genuine certificates are signed again with a new key, one after the other; their pages and codes stay "
                "the same. Copies that holders have must be downloaded again.",
            ],
            table=[
                ["Will be signed again", f"{signed} credentials"],
                ["Erased, cannot be signed again, and count no more", f"{erased} credentials"],
            ],
        )

        def do(values: dict[str, Any]) -> str:
            keys.compromise(key.id, actor=actor_of(request.user), reason=values["reason"])
            return f"The key is compromised. {signed} credentials are being signed again."

        return ask(request, self, question, do, change_url(key))


class HowForm(forms.Form):
    how = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget,
        help_text="What was compared with what: a register, a document, a call to a number known from elsewhere.",
    )


@admin.register(Issuer)
class IssuerAdmin(ReadOnlyAdmin):
    list_display = ["organization", "did", "identity", "identity_checked_at"]
    list_select_related = ["organization"]
    list_filter = [("identity_checked_at", DayFilter)]
    search_fields = ["organization__name"]
    search_help_text = "The whole id of an issuer or of its organization, or how the organization's name begins."
    fields = [
        "id",
        "organization",
        "did",
        "created_at",
        "identity",
        "identity_name",
        "identity_checked_at",
        "identity_checked_by",
        "identity_check",
    ]
    readonly_fields = ["did", "identity"]
    actions_detail = ["check_identity", "withdraw_check", "trail"]

    def unfit_actions(self, row: Issuer) -> Collection[str]:
        return () if row.is_identity_checked else {"withdraw-check"}

    def find(self, queryset: QuerySet[Issuer], term: str, key: UUID | None) -> QuerySet[Issuer]:
        if key:
            return queryset.filter(id=key) | queryset.filter(organization_id=key)
        return queryset.filter(organization__name__istartswith=term)

    @admin.display(description="identity")
    def identity(self, issuer: Issuer) -> str:
        if not issuer.is_identity_checked:
            return "not checked"
        if issuer.is_checked_as(issuer.organization.name):
            return "checked"
        return f"checked as {issuer.identity_name} alone, not under the name that it has now"

    @action(description="Mark identity as checked", url_path="check-identity")
    def check_identity(self, request: HttpRequest, object_id: str) -> HttpResponse:
        issuer = get_object_or_404(Issuer.objects.select_related("organization"), pk=object_id)
        question = Question(
            title=f"Is the issuer really {issuer.organization}?",
            button="Its identity is checked",
            says=[
                f"Whoever looks at a certificate of {issuer.organization} will read that we have checked it.",
                "It holds for this name. Under another one the issuer counts as not checked.",
            ],
            form=HowForm,
        )

        def do(values: dict[str, Any]) -> str:
            identity.check_identity(issuer.id, values["how"], actor=actor_of(request.user))
            return f"The identity of {issuer.organization} is checked."

        return ask(request, self, question, do, change_url(issuer))

    @action(description="Withdraw identity check", url_path="withdraw-check")
    def withdraw_check(self, request: HttpRequest, object_id: str) -> HttpResponse:
        issuer = get_object_or_404(Issuer.objects.select_related("organization"), pk=object_id)
        if not issuer.is_identity_checked:
            messages.info(request, "Its identity is not checked.")
            return HttpResponseRedirect(change_url(issuer))
        question = Question(
            title=f"Withdraw that the identity of {issuer.organization} is checked?",
            button="Withdraw",
            says=["Whoever looks at its certificates, also those that are issued, will read that it is not checked."],
        )

        def do(values: dict[str, Any]) -> str:
            identity.withdraw_check(issuer.id, values["reason"], actor=actor_of(request.user))
            return f"The identity of {issuer.organization} counts as not checked."

        return ask(request, self, question, do, change_url(issuer))
