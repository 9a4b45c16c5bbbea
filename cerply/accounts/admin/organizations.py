"""Organizations, and which features are on for them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.html import format_html_join
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from cerply.accounts import organizations, pictures
from cerply.accounts.models import Organization
from cerply.console import ConsoleAdmin, Question, ReasonForm, actor_of, ask, change_url
from ops import features
from ops.features import Feature
from ops.models import FeatureEnrolment

TOGGLES = {"": None, "on": True, "off": False}


class OrganizationForm(forms.ModelForm):
    class Meta:
        model = Organization
        fields = ("name", "logo", "colour")

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
    search_fields = ["name", "id"]
    ordering = ["name", "id"]
    fields = ["id", "name", "logo", "colour", "features", "created_at", "closed_at"]
    readonly_fields = ["id", "features", "created_at", "closed_at"]
    actions_detail = ["gamification", "certificates", "notifications", "close_or_reopen"]

    @admin.display(description="open", boolean=True)
    def is_open(self, organization: Organization) -> bool:
        return organization.closed_at is None

    @admin.display(description="features")
    def features(self, organization: Organization) -> str:
        if organization._state.adding:
            return "-"
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
            if wanted != enrolment.toggle:
                features.set_toggle(feature, organization.id, wanted, actor=actor, reason=reason)
            if values["pilot"] != enrolment.pilot:
                features.set_pilot(feature, organization.id, values["pilot"], actor=actor, reason=reason)
            now = features.decide(feature, organization.id)
            return f"{feature.label} is {'on' if now.on else 'off'} for {organization} (decided by: {now.reason})."

        return ask(request, self, question, do, change_url(organization))

    @action(description="Close or reopen", url_path="close-or-reopen")
    def close_or_reopen(self, request: HttpRequest, object_id: str) -> HttpResponse:
        organization = get_object_or_404(Organization, pk=object_id)
        return (self._reopen if organization.closed_at else self._close)(request, organization)

    def _close(self, request: HttpRequest, organization: Organization) -> HttpResponse:
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

    def _reopen(self, request: HttpRequest, organization: Organization) -> HttpResponse:
        question = Question(
            title=f"Open {organization} again?",
            button="Reopen",
            says=["Its people can sign in again. Features follow the rollout, as for a new organization."],
        )

        def do(values: dict[str, Any]) -> str:
            organizations.reopen_organization(organization, actor=actor_of(request.user), reason=values["reason"])
            return f"{organization} is open."

        return ask(request, self, question, do, change_url(organization))
