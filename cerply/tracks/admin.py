"""Tracks with their items."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminSelectWidget

from cerply.accounts.models import Organization
from cerply.console import ConsoleAdmin, actor_of
from cerply.tracks import editing
from cerply.tracks.models import Item, Track

WIRE_NAMES = {attribute: name for name, attribute in editing.TRACK_FIELDS.items()}


class TrackForm(forms.ModelForm):
    class Meta:
        model = Track
        fields = tuple(editing.TRACK_FIELDS.values())

    def clean_external_id(self) -> str | None:
        return self.cleaned_data["external_id"] or None


class NewTrackForm(TrackForm):
    organization = forms.ModelChoiceField(
        Organization.objects.open(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Empty: shared with all organizations.",
    )


class ItemForm(forms.ModelForm):
    retired = forms.BooleanField(required=False, help_text="Not needed any more to complete the track.")
    remove = forms.BooleanField(required=False, help_text="Deletes it; one that has answers is retired instead.")

    class Meta:
        model = Item
        fields = ("external_id", "title", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["retired"].initial = self.instance.retired_at is not None

    def clean_external_id(self) -> str | None:
        return self.cleaned_data["external_id"] or None

    def values(self) -> dict[str, Any]:
        """As the API would send it."""
        given = self.cleaned_data
        row = {"title": given["title"], "position": given["position"], "retired": given["retired"]}
        return row | ({"externalId": given["external_id"]} if given["external_id"] else {})


class ItemInline(TabularInline):
    model = Item
    form = ItemForm
    extra = 1
    # The formset would refuse to delete what has answers.
    can_delete = False
    fields = ("title", "external_id", "position", "retired", "remove")
    ordering = ("position", "id")


@admin.register(Track)
class TrackAdmin(ConsoleAdmin):
    list_display = ["title", "organization", "external_id", "certifies_from", "created_at"]
    list_select_related = ["organization"]
    list_filter = [("organization", AutocompleteSelectFilter)]
    search_fields = ["title__istartswith", "external_id__exact"]
    ordering = ["title", "id"]

    def get_form(self, request: HttpRequest, obj: Track | None = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = TrackForm if obj else NewTrackForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Track | None = None) -> list[str]:
        return ["organization", *TrackForm.Meta.fields]

    def get_readonly_fields(self, request: HttpRequest, obj: Track | None = None) -> list[str]:
        return ["organization"] if obj else []

    def get_inlines(self, request: HttpRequest, obj: Track | None = None) -> list[type[TabularInline]]:
        return [ItemInline] if obj else []

    def save_model(self, request: HttpRequest, obj: Track, form: Any, change: bool) -> None:
        actor, given = actor_of(request.user), form.cleaned_data
        values = {WIRE_NAMES[name]: given[name] for name in TrackForm.Meta.fields}
        if change:
            editing.change_track(obj.id, values, actor=actor)
            return
        organization = given["organization"]
        made = editing.create_track(organization.id if organization else None, values, actor=actor)
        obj.id, obj._state.adding = made.id, False

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        actor = actor_of(request.user)
        for line in formset.forms:
            if not line.has_changed():
                continue
            item = line.instance
            if line.cleaned_data["remove"]:
                if not item._state.adding:
                    editing.remove_item(item.id, actor=actor)
            elif item._state.adding:
                values = line.values()
                del values["retired"]
                editing.save_items(formset.instance.id, [values], actor=actor)
            else:
                values = {"externalId": None} | line.values()
                editing.change_item(item.id, values, actor=actor)
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
