"""Tracks, and their items on pages of their own: a track may have more of them than a form takes."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import ManyToOneRel, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminSelectWidget

from cerply.accounts.models import Organization
from cerply.console import ConsoleAdmin, actor_of, in_lower, links, list_link
from cerply.identifiers import parse_uuid
from cerply.tracks import editing
from cerply.tracks.models import Item, Track

WIRE_NAMES = {attribute: name for name, attribute in editing.TRACK_FIELDS.items()}
ITEM_WIRE_NAMES = {attribute: name for name, attribute in editing.ITEM_FIELDS.items()} | {"retired": "retired"}


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

    class Meta:
        model = Track
        fields = ("organization", *TrackForm.Meta.fields)


def matching(queryset: QuerySet[Any], term: str, key: UUID | None) -> QuerySet[Any]:
    """How the title begins, or the whole external id."""
    found = Q(lower_title__startswith=term.lower()) | Q(external_id=term)
    if key:
        found |= Q(id=key)
    queryset = queryset.alias(lower_title=in_lower("title"))
    return queryset.filter(found)


@admin.register(Track)
class TrackAdmin(ConsoleAdmin):
    list_display = ["title", "organization", "external_id", "certifies_from", "created_at"]
    list_select_related = ["organization"]
    list_filter = [("organization", AutocompleteSelectFilter)]
    search_fields = ["title"]
    search_help_text = "How the title begins; or the whole external id or id."
    ordering = ["title", "id"]
    wire_names = editing.TRACK_FIELDS
    actions_detail = ["trail"]

    def find(self, queryset: QuerySet[Track], term: str, key: UUID | None) -> QuerySet[Track]:
        return matching(queryset, term, key)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = TrackForm if obj else NewTrackForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Track | None = None) -> list[str]:
        return ["organization", *TrackForm.Meta.fields, *(["items", "created_at"] if obj else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: Track | None = None) -> list[str]:
        return ["organization", "items", "created_at"] if obj else []

    @admin.display(description="items")
    def items(self, track: Track) -> str:
        number, active = track.items.count(), track.items.active().count()
        said = f"{active:,} items" if active == number else f"{active:,} items, {number - active:,} retired"
        add = f"{reverse('admin:tracks_item_add')}?track={track.id}"
        return links(list_link(Item, said, track__id__exact=track.id), ("add one", add))

    def save_model(self, request: HttpRequest, obj: Track, form: Any, change: bool) -> None:
        actor, given = actor_of(request.user), form.cleaned_data
        if change:
            changes = {WIRE_NAMES[name]: given[name] for name in form.changed_data if name in WIRE_NAMES}
            editing.change_track(obj.id, changes, actor=actor)
            return
        values = {WIRE_NAMES[name]: given[name] for name in TrackForm.Meta.fields}
        organization = given["organization"]
        made = editing.create_track(organization.id if organization else None, values, actor=actor)
        obj.id, obj._state.adding = made.id, False


class ItemForm(forms.ModelForm):
    retired = forms.BooleanField(
        required=False,
        help_text="Not needed any more to complete the track. One that has answers is retired, not deleted.",
    )

    class Meta:
        model = Item
        fields = ("title", "external_id", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["retired"] = self.instance.retired_at is not None

    def clean_external_id(self) -> str | None:
        return self.cleaned_data["external_id"] or None


class NewItemForm(forms.ModelForm):
    class Meta:
        model = Item
        fields = ("track", "title", "external_id", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["position"].required = False
        self.fields["position"].initial = None
        self.fields["position"].help_text = "Left empty, it comes after the others."

    def clean_external_id(self) -> str | None:
        return self.cleaned_data["external_id"] or None


@admin.register(Item)
class ItemAdmin(ConsoleAdmin):
    list_display = ["title", "position", "external_id", "is_active", "track"]
    list_select_related = ["track"]
    list_filter = [("track", AutocompleteSelectFilter)]
    search_fields = ["title"]
    search_help_text = "How the title begins; or the whole external id or id."
    sortable_by = ()
    autocomplete_fields = ["track"]
    wire_names = editing.ITEM_FIELDS

    def get_ordering(self, request: HttpRequest) -> Sequence[str]:
        return ("position", "id") if "track__id__exact" in request.GET else ("-id",)

    def find(self, queryset: QuerySet[Item], term: str, key: UUID | None) -> QuerySet[Item]:
        return matching(queryset, term, key)

    @admin.display(description="active", boolean=True)
    def is_active(self, item: Item) -> bool:
        return item.retired_at is None

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Of the track whose items the list shows."""
        listed = parse_qs(request.GET.get("_changelist_filters", "")).get("track__id__exact", [""])[0]
        track = parse_uuid(request.GET.get("track", "")) or parse_uuid(listed)
        return {"track": track} if track else {}

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = ItemForm if obj else NewItemForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Item | None = None) -> list[str]:
        return ["track", *ItemForm.Meta.fields, "retired"] if obj else list(NewItemForm.Meta.fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Item | None = None) -> list[str]:
        return ["track"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only what nobody has answered."""
        return obj is None or not any(
            relation.related_model._base_manager.filter(**{relation.field.name: obj}).exists()
            for relation in Item._meta.get_fields(include_hidden=True)
            if isinstance(relation, ManyToOneRel)
        )

    def save_model(self, request: HttpRequest, obj: Item, form: Any, change: bool) -> None:
        actor, given = actor_of(request.user), form.cleaned_data
        if change:
            changes = {ITEM_WIRE_NAMES[name]: given[name] for name in form.changed_data}
            editing.change_item(obj.id, changes, actor=actor)
            return
        values = {ITEM_WIRE_NAMES[name]: given[name] for name in ("title", "external_id", "position")}
        row = {name: value for name, value in values.items() if value is not None}
        [made] = editing.save_items(given["track"].id, [row], actor=actor).items
        obj.id, obj._state.adding = made.id, False

    def delete_model(self, request: HttpRequest, obj: Item) -> None:
        editing.remove_item(obj.id, actor=actor_of(request.user))
