"""Features and jobs, for staff."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django_q.models import Failure, OrmQ, Schedule, Success
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from cerply.console import Question, ReadOnlyAdmin, ReasonForm, actor_of, ask, change_url
from ops import features
from ops.features import Feature
from ops.models import FeatureEnrolment, FeatureRollout, JobRun, WorkerHeartbeat

for unused in (Failure, OrmQ, Schedule, Success):
    admin.site.unregister(unused)


class PercentageForm(forms.Form):
    percentage = forms.IntegerField(
        min_value=0,
        max_value=100,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Of the organizations without a toggle of their own that are not pilots. Empty: all of them.",
    )


class AgreedForm(ReasonForm):
    """With what was shown when somebody agreed to it."""

    shown = forms.CharField(widget=forms.HiddenInput)


@admin.register(FeatureRollout)
class FeatureRolloutAdmin(ReadOnlyAdmin):
    list_display = ["feature", "switch", "rollout", "reached", "changed_at"]
    fields = ["feature", "switch", "rollout", "reached", "changed_at"]
    readonly_fields = ["switch", "rollout", "reached"]
    actions_detail = ["change_rollout"]

    @admin.display(description="switch for everyone", boolean=True)
    def switch(self, rollout: FeatureRollout) -> bool:
        return features.switched_on(rollout.feature)

    @admin.display(description="rollout")
    def rollout(self, rollout: FeatureRollout) -> str:
        return "everyone" if rollout.percentage is None else f"{rollout.percentage} %"

    @admin.display(description="on for")
    def reached(self, rollout: FeatureRollout) -> str:
        enrolments = FeatureEnrolment.objects.filter(feature=rollout.feature)
        return f"{enrolments.filter(effective=True).count()} of {enrolments.count()} organizations"

    @action(description="Change the rollout", url_path="rollout")
    def change_rollout(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Two pages: to which percentage; and, with what it would change, why."""
        rollout = get_object_or_404(FeatureRollout, pk=object_id)
        asked = PercentageForm({"percentage": request.GET["to"]} if "to" in request.GET else None)
        if asked.is_valid():
            return self._confirm(request, rollout, asked.cleaned_data["percentage"])
        form = PercentageForm(request.POST or None, initial={"percentage": rollout.percentage})
        if form.is_valid():
            percentage = form.cleaned_data["percentage"]
            return HttpResponseRedirect(f"?to={'' if percentage is None else percentage}")
        question = Question(
            title=f"Roll out {rollout}",
            button="Show what changes",
            says=["Raising the percentage only adds organizations. Lowering it switches some of them off."],
            form=PercentageForm,
            initial={"percentage": rollout.percentage},
        )
        return ask(request, self, question, lambda values: "", change_url(rollout))

    def _confirm(self, request: HttpRequest, rollout: FeatureRollout, percentage: int | None) -> HttpResponse:
        feature = Feature(rollout.feature)
        preview = features.preview_rollout(feature, percentage)
        if request.method == "POST" and request.POST.get("shown") != preview.fingerprint:
            messages.warning(request, "Organizations have changed meanwhile: this is what it does now.")
            return HttpResponseRedirect(request.get_full_path())
        question = Question(
            title=f"Roll out {rollout} to {'everyone' if percentage is None else f'{percentage} %'}?",
            button="Change the rollout",
            form=AgreedForm,
            initial={"shown": preview.fingerprint},
            table=[
                ["Switched on", self._names(preview.switched_on)],
                ["Switched off", self._names(preview.switched_off)],
            ],
        )

        def do(values: dict[str, Any]) -> str:
            agreed = {"actor": actor_of(request.user), "reason": values["reason"], "shown": values["shown"]}
            change = features.set_rollout(feature, percentage, **agreed)
            return f"{rollout}: {len(change.switched_on)} switched on, {len(change.switched_off)} switched off."

        return ask(request, self, question, do, change_url(rollout))

    def _names(self, organizations: Sequence[UUID]) -> str:
        rows = apps.get_model("accounts", "Organization")._default_manager.filter(id__in=organizations[:50])
        names = ", ".join(row.name for row in rows)
        return f"{len(organizations)}: {names}" if names else "nobody"


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    list_display = ["job", "window", "outcome", "attempts", "started_at", "duration", "detail"]
    fields = [
        "job", "window", "outcome", "attempts", "started_at", "finished_at", "duration", "detail", "heartbeat_at",
        "lease_until",
    ]  # fmt: skip
    readonly_fields = ["duration"]
    list_filter = [("outcome", ChoicesDropdownFilter)]
    search_fields = ["job"]
    search_help_text = "The whole name of a job, or how it begins."

    def find(self, queryset: QuerySet[JobRun], term: str, key: UUID | None) -> QuerySet[JobRun]:
        return queryset.filter(id=key) if key else queryset.filter(job__startswith=term)


@admin.register(WorkerHeartbeat)
class WorkerHeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["process", "beat_at"]
