"""Organizations, and which features are on for them."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django import forms
from django.apps import apps
from django.contrib import admin
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db.models import FileField, QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from unfold.decorators import action
from unfold.widgets import UnfoldAdminImageFieldWidget, UnfoldAdminSelectWidget

from cerply.accounts import organizations, pictures
from cerply.accounts.models import ApiToken, Organization, Team, User
from cerply.console import ConsoleAdmin, Question, ReasonForm, actor_of, ask, change_url, links, list_link
from ops import features
from ops.features import Feature
from ops.models import FeatureEnrolment

CONTENT_TYPES = {"png": "image/png", "jpg": "image/jpeg"}
TOGGLES = {"": None, "on": True, "off": False}


class OrganizationForm(forms.ModelForm):
    class Meta:
        model = Organization
        fields = ("name", "logo", "colour", "website", "certifies_email", "audit_addresses")

    def clean_logo(self) -> Any:
        """Under a name of its own: issued certificates keep the one that they have."""
        logo = self.cleaned_data["logo"]
        return pictures.keep(pictures.remade(logo), pictures.LOGOS) if isinstance(logo, UploadedFile) else logo


def feature_form(feature: Feature) -> type[ReasonForm]:
    class FeatureForm(ReasonForm):
        toggle = forms.ChoiceField(
            choices=[("", "no say of its own"), ("on", "on"), ("off", "off")],
            required=False,
            widget=UnfoldAdminSelectWidget,
            help_text=f"{feature.label}: the organization's own toggle.",
        )
        pilot = forms.BooleanField(required=False, help_text="On before the rollout reaches it.")
        field_order = ("toggle", "pilot", "reason")

    return FeatureForm


@admin.register(Organization)
class OrganizationAdmin(ConsoleAdmin):
    form = OrganizationForm
    list_display = ["name", "is_open", "created_at", "closed_at"]
    search_fields = ["name"]
    search_help_text = "A part of the name, or the whole id."
    ordering = ["name", "id"]
    formfield_overrides = {FileField: {"widget": UnfoldAdminImageFieldWidget(attrs={"accept": "image/*"})}}
    readonly_fields = ["id", "features", "created_at", "closed_at", "see_also", "deletion"]
    actions_detail = ["gamification", "certificates", "notifications", "close", "reopen", "trail"]

    def get_fields(self, request: HttpRequest, obj: Organization | None = None) -> list[str]:
        own = list(OrganizationForm.Meta.fields)
        return ["id", *own, "features", "created_at", "closed_at", "see_also", "deletion"] if obj else own

    def unfit_actions(self, row: Organization) -> Collection[str]:
        """A closed organization has no features, and is not closed again."""
        return {"gamification", "certificates", "notifications", "close"} if row.closed_at else {"reopen"}

    def find(self, queryset: QuerySet[Organization], term: str, key: UUID | None) -> QuerySet[Organization]:
        """In the whole name: organizations are few."""
        return queryset.filter(id=key) if key else queryset.filter(name__icontains=term)

    def get_urls(self) -> list[URLPattern]:
        logo = self.admin_site.admin_view(self.logo)
        return [path("logos/<str:name>", logo), *super().get_urls()]

    def logo(self, request: HttpRequest, name: str) -> HttpResponseBase:
        """The picture itself, at the address that ``MEDIA_URL`` gives it."""
        stored = f"logos/{name}"
        content_type = CONTENT_TYPES.get(name.rpartition(".")[2])
        if content_type is None or not Organization.objects.filter(logo=stored).exists():
            raise Http404
        try:
            return FileResponse(default_storage.open(stored), content_type=content_type)
        except FileNotFoundError:
            raise Http404 from None

    @admin.display(description="see also")
    def see_also(self, organization: Organization) -> str:
        its = {"organization__id__exact": organization.id}
        track, certificate, key = (
            apps.get_model(*name)
            for name in (("tracks", "Track"), ("certificates", "Certificate"), ("certificates", "SigningKey"))
        )
        return links(
            list_link(User, "people", **its),
            list_link(Team, "teams", **its),
            list_link(track, "tracks", **its),
            list_link(certificate, "certificates", **its),
            list_link(key, "signing keys", **its),
            list_link(ApiToken, "API tokens", **its),
        )

    @admin.display(description="deletion")
    def deletion(self, organization: Organization) -> str:
        kept = organizations.what_keeps(organization)
        if not kept:
            return "It has nothing that must be kept, and can be deleted."
        return f"It cannot be deleted, only closed: it has {', '.join(kept)}, which must be kept."

    @admin.display(description="open", boolean=True)
    def is_open(self, organization: Organization) -> bool:
        return organization.closed_at is None

    @admin.display(description="features")
    def features(self, organization: Organization) -> str:
        if organization.closed_at:
            return "none: it is closed"
        decided = features.decisions(organization.id).items()
        rows = ((feature.label, "on" if decision.on else "off", decision.reason) for feature, decision in decided)
        return format_html_join("", "<div>{}: <b>{}</b> (decided by: {})</div>", rows)

    def save_model(self, request: HttpRequest, obj: Organization, form: Any, change: bool) -> None:
        actor = actor_of(request.user)
        if not change:
            organizations.create_organization(obj, actor=actor)
        elif form.changed_data:
            organizations.change_organization(obj, form.changed_data, actor=actor)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only where that loses nothing that must be kept."""
        return isinstance(obj, Organization) and not organizations.what_keeps(obj)

    def delete_model(self, request: HttpRequest, obj: Organization) -> None:
        organizations.delete_organization(obj, actor=actor_of(request.user))

    @action(description="Gamification", url_path="gamification")
    def gamification(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, Feature.GAMIFICATION)

    @action(description="Certificates", url_path="certificates")
    def certificates(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, Feature.CERTIFICATES)

    @action(description="Manager notifications", url_path="notifications")
    def notifications(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._switch(request, object_id, Feature.MANAGER_NOTIFICATIONS)

    def _switch(self, request: HttpRequest, object_id: str, feature: Feature) -> HttpResponse:
        organization = get_object_or_404(Organization.objects.open(), pk=object_id)
        enrolment = get_object_or_404(FeatureEnrolment, organization_id=organization.id, feature=feature)
        decision = features.decide(feature, organization.id)
        toggle = {None: "", True: "on", False: "off"}[enrolment.toggle]
        question = Question(
            title=f"{feature.label} for {organization}",
            button="Save",
            says=[
                f"It is {'on' if decision.on else 'off'} now (decided by: {decision.reason}).",
                "Off: nothing is shown, awarded, issued or announced; answers are still recorded. "
                "Switching on awards and issues what was earned meanwhile, without notifying.",
            ],
            form=feature_form(feature),
            initial={"toggle": toggle, "pilot": enrolment.pilot},
        )

        def do(values: dict[str, Any]) -> str:
            actor, reason = actor_of(request.user), values["reason"]
            wanted = TOGGLES[values["toggle"]]
            if (wanted, values["pilot"]) == (enrolment.toggle, enrolment.pilot):
                return ""
            if wanted != enrolment.toggle:
                features.set_toggle(feature, organization.id, wanted, actor=actor, reason=reason)
            if values["pilot"] != enrolment.pilot:
                features.set_pilot(feature, organization.id, values["pilot"], actor=actor, reason=reason)
            now = features.decide(feature, organization.id)
            return f"{feature.label} is {'on' if now.on else 'off'} for {organization} (decided by: {now.reason})."

        return ask(request, self, question, do, change_url(organization))

    @action(description="Close", url_path="close")
    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        organization = get_object_or_404(Organization, pk=object_id)
        question = Question(
            title=f"Close {organization}?",
            button="Close",
            says=[
                "Nobody of it can sign in or use an API token any more.",
                "Every record stays, and its certificates can still be verified. It can be opened again.",
            ],
        )

        def do(values: dict[str, Any]) -> str:
            organizations.close_organization(organization, actor=actor_of(request.user), reason=values["reason"])
            return f"{organization} is closed."

        return ask(request, self, question, do, change_url(organization))

    @action(description="Reopen", url_path="reopen")
    def reopen(self, request: HttpRequest, object_id: str) -> HttpResponse:
        organization = get_object_or_404(Organization, pk=object_id)
        question = Question(
            title=f"Open {organization} again?",
            button="Reopen",
            says=["Its people can sign in again. Features follow the rollout, as for a new organization."],
        )

        def do(values: dict[str, Any]) -> str:
            organizations.reopen_organization(organization, actor=actor_of(request.user), reason=values["reason"])
            return f"{organization} is open."

        return ask(request, self, question, do, change_url(organization))
