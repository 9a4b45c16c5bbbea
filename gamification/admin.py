"""Badges as staff edit them; what learners have done and earned, to look at."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RelatedDropdownFilter

from cerply.accounts.models import User
from cerply.console import ConsoleAdmin, ReadOnlyAdmin, actor_of, link, pretty
from gamification.models import Attempt, Badge, BadgeRule, Completion, LearnerBadge, Share
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
