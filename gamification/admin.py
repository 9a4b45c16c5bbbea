"""Badges as staff edit them; what learners have done and earned, to look at."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldBooleanWidget

from cerply.accounts.admin.teams import TeamAdmin
from cerply.accounts.models import Membership, Team, TeamRole, User
from cerply.console import ConsoleAdmin, Question, ReadOnlyAdmin, actor_of, ask, change_url, link, pretty
from cerply.errors import Conflict
from cerply.tracks.models import Track
from gamification.at_risk_policies import FIELDS, set_policy
from gamification.bulk_issuing import Circle, ask_for, count_due
from gamification.models import (
    AtRiskEpisode,
    AtRiskPolicy,
    Attempt,
    Badge,
    BadgeRule,
    BulkIssue,
    Completion,
    LearnerBadge,
    Share,
)
from gamification.revising import save_badge

CRITERIA = ("kind", "count", "under_ms", "level", "track")


class BadgeForm(forms.ModelForm):
    """The badge and its current criteria; other criteria become its next version."""

    class Meta:
        model = Badge
        fields = ("slug", "name", "description", "icon", "is_active", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        current = None if self.instance._state.adding else self.instance.rules.filter(superseded_at=None).first()
        if current:
            self.initial.update({name: getattr(current, name) for name in CRITERIA})

    def what_changed(self) -> tuple[Badge, BadgeRule]:
        """The badge and its criteria as they are by now, with what was changed in the form."""
        badge = Badge.objects.get(pk=self.instance.pk)
        current = badge.rules.filter(superseded_at=None).first()
        criteria = {name: getattr(current, name, None) for name in CRITERIA}
        for name in self.changed_data:
            if name in criteria:
                criteria[name] = self.cleaned_data[name]
            else:
                setattr(badge, name, self.cleaned_data[name])
        return badge, BadgeRule(**criteria)

    def rule(self) -> BadgeRule:
        return BadgeRule(**{name: self.cleaned_data.get(name) for name in CRITERIA})

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors:
            rule = self.rule()
            try:
                rule.clean_fields(exclude={"badge", "version"})
                rule.clean()
            except ValidationError as exc:
                self.add_error(None, exc)
        return values


class RuleInline(TabularInline):
    model = BadgeRule
    verbose_name_plural = "versions of the criteria"
    extra = 0
    can_delete = False
    fields = readonly_fields = ("version", "readable", "created_at", "superseded_at")

    @admin.display(description="earned by")
    def readable(self, rule: BadgeRule) -> str:
        return rule.criteria()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Badge)
class BadgeAdmin(ConsoleAdmin):
    list_display = ["icon", "name", "slug", "criteria", "is_active"]
    list_display_links = ["name"]
    search_fields = ["name"]
    search_help_text = "A part of the name, or the slug."
    inlines = [RuleInline]
    actions_detail = ["trail"]

    def find(self, queryset: QuerySet[Badge], term: str, key: UUID | None) -> QuerySet[Badge]:
        """In all of them: badges are few."""
        return queryset.filter(id=key) if key else queryset.filter(Q(name__icontains=term) | Q(slug=term))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Badge]:
        current = Prefetch("rules", BadgeRule.objects.filter(superseded_at=None), to_attr="current_rules")
        return super().get_queryset(request).prefetch_related(current)  # type: ignore[no-any-return]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """With a field for each of the criteria, as the admin would show it."""
        fields: dict[str, Any] = {name: BadgeRule._meta.get_field(name) for name in CRITERIA}
        criteria = {name: self.formfield_for_dbfield(field, request) for name, field in fields.items()}
        kwargs["form"] = type("BadgeWithCriteriaForm", (BadgeForm,), criteria)
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Badge | None = None) -> list[str]:
        return [*BadgeForm.Meta.fields, *CRITERIA]

    def get_readonly_fields(self, request: HttpRequest, obj: Badge | None = None) -> list[str]:
        """A badge is known by its slug: to consumers, and to the seeding, which would add a renamed one again."""
        return ["slug"] if obj else []

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        """Of the criteria: tracks are too many to list."""
        return ["track"]

    @admin.display(description="earned by")
    def criteria(self, badge: Badge) -> str:
        return ", ".join(rule.criteria() for rule in getattr(badge, "current_rules", ()))

    def save_model(self, request: HttpRequest, obj: Badge, form: Any, change: bool) -> None:
        if change:
            obj, rule = form.what_changed()
        else:
            rule = form.rule()
        save_badge(obj, rule, actor=actor_of(request.user))


class OfLearnerAdmin(ReadOnlyAdmin):
    """Long lists, searched by the learner's id or address."""

    list_select_related = ["learner"]
    list_filter = [("learner", AutocompleteSelectFilter)]
    sortable_by = ()
    ordering = ["-id"]
    search_fields = ["id"]
    search_help_text = "The whole id of a row or of its learner, or the learner's e-mail address."

    def find(self, queryset: QuerySet[Any], term: str, key: UUID | None) -> QuerySet[Any]:
        """Exact matches alone: each of them is a look into an index."""
        if key:
            return queryset.filter(id=key) | queryset.filter(learner_id=key)
        return queryset.filter(learner__in=User.objects.with_address(term).values("id"))

    @admin.display(description="learner")
    def person(self, row: Any) -> str:
        return link(row.learner, row.learner.name)


@admin.register(Attempt)
class AttemptAdmin(OfLearnerAdmin):
    list_display = ["recorded_at", "person", "item", "credit", "response_ms", "source", "occurred_at"]
    list_select_related = ["learner", "item"]


@admin.register(Share)
class ShareAdmin(OfLearnerAdmin):
    list_display = ["occurred_at", "person", "artefact_id"]


@admin.register(Completion)
class CompletionAdmin(OfLearnerAdmin):
    list_display = ["completed_at", "person", "track", "cycle", "source"]
    list_select_related = ["learner", "track"]


@admin.register(LearnerBadge)
class LearnerBadgeAdmin(OfLearnerAdmin):
    list_display = ["earned_at", "person", "badge", "rule"]
    list_select_related = ["learner", "badge", "rule", "rule__track"]
    list_filter = [("learner", AutocompleteSelectFilter), ("badge", RelatedDropdownFilter)]
    fields = ["id", "organization", "learner", "badge", "rule", "earned_at", "why"]
    readonly_fields = ["why"]

    @admin.display(description="evidence")
    def why(self, earned: LearnerBadge) -> str:
        return pretty(earned.evidence)


@admin.register(AtRiskPolicy)
class AtRiskPolicyAdmin(ConsoleAdmin):
    """Organizations that are not in the list go by the defaults, which are what the form for a new one shows."""

    list_display = ["organization", "comprehension", "share", "answers", "least_answers", "silence", "days"]
    list_select_related = ["organization"]
    ordering = ["organization__name", "organization_id"]
    sortable_by = ()
    search_fields = ["organization__name"]
    search_help_text = "A part of the organization's name, or its whole id."
    autocomplete_fields = ["organization"]
    fields = ["organization", *FIELDS.values()]
    actions_detail = ["trail"]

    def find(self, queryset: QuerySet[AtRiskPolicy], term: str, key: UUID | None) -> QuerySet[AtRiskPolicy]:
        """In the whole name: organizations are few."""
        return queryset.filter(pk=key) if key else queryset.filter(organization__name__icontains=term)

    def get_readonly_fields(self, request: HttpRequest, obj: AtRiskPolicy | None = None) -> list[str]:
        return ["organization"] if obj else []

    def save_model(self, request: HttpRequest, obj: AtRiskPolicy, form: Any, change: bool) -> None:
        chosen = {
            name: form.cleaned_data[attribute]
            for name, attribute in FIELDS.items()
            if not change or attribute in form.changed_data
        }
        set_policy(obj.organization_id, chosen, actor=actor_of(request.user))


@admin.register(AtRiskEpisode)
class AtRiskEpisodeAdmin(OfLearnerAdmin):
    """Those who are at risk now; what is over is not shown."""

    list_display = ["since", "person", "track", "reason", "share", "last_answer_at", "told_at", "organization"]
    list_select_related = ["learner", "track", "organization"]
    list_filter = [
        ("organization", AutocompleteSelectFilter),
        ("learner", AutocompleteSelectFilter),
        ("reason", ChoicesDropdownFilter),
    ]
    ordering = ["-since", "-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AtRiskEpisode]:
        return super().get_queryset(request).open()  # type: ignore[no-any-return]


@admin.register(BulkIssue)
class BulkIssueAdmin(ReadOnlyAdmin):
    """Asked for on the page of a team; this is how far it has come."""

    list_display = ["asked_at", "organization", "track", "total", "issued", "finished_at"]
    list_select_related = ["organization", "track"]
    list_filter = [("organization", AutocompleteSelectFilter)]
    sortable_by = ()
    ordering = ["-id"]
    fields = [
        "id",
        "organization",
        "team_id",
        "track",
        "also_revoked",
        "total",
        "issued",
        "asked_by",
        "asked_at",
        "finished_at",
    ]


class BulkIssueForm(forms.Form):
    also_revoked = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget,
        label="Also those whose certificate was revoked",
        help_text="For when the revocation was the mistake.",
    )
    number = forms.IntegerField(
        label="How many are they?",
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Type the number that is named above, so that nothing is issued to more than you mean.",
    )


admin.site.unregister(Team)


@admin.register(Team)
class TeamWithTracksAdmin(TeamAdmin):
    """A team's page, from which its members' certificates are issued."""

    actions_detail = [*TeamAdmin.actions_detail, "issue_certificates"]

    @action(description="Issue certificates", url_path="issue")
    def issue_certificates(self, request: HttpRequest, object_id: str) -> HttpResponse:
        team = get_object_or_404(Team.objects.select_related("organization"), pk=object_id)
        members = Membership.objects.filter(team=team, role=TeamRole.MEMBER)
        completed = Completion.objects.filter(learner__in=members.values("user_id"))
        tracks = Track.objects.filter(id__in=completed.values("track_id")).order_by("title", "id")

        def circle(track: Track, *, also_revoked: bool) -> Circle:
            return Circle(team.organization_id, track, team.id, also_revoked)

        rows = [
            [track.title, *(f"{count_due(circle(track, also_revoked=revoked)):,}" for revoked in (False, True))]
            for track in tracks
        ]
        chooses = forms.ModelChoiceField(tracks, widget=UnfoldAdminSelectWidget)
        question = Question(
            title=f"Certificates for everyone in {team} who completed a track?",
            button="Issue",
            says=[
                "Whoever in the team completed the track and has no certificate for it gets one. Nobody is notified.",
                "The job worker issues them; the list of bulk issues says how far it has come.",
            ],
            form=type("TeamsTrackForm", (BulkIssueForm,), {"track": chooses, "field_order": ("track",)}),
            table=[["Track", "Certificates", "With those that were revoked"], *rows],
        )

        def do(values: dict[str, Any]) -> str:
            chosen = circle(values["track"], also_revoked=values["also_revoked"])
            due = count_due(chosen)
            if values["number"] != due:
                raise Conflict(f"They are {due:,} now, and not {values['number']:,}.")
            asked = ask_for(chosen, total=due, actor=actor_of(request.user))
            return f"The job worker issues {asked.total:,} certificates of “{asked.track}”."

        return ask(request, self, question, do, change_url(team))
