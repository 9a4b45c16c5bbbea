"""Making and changing tracks and items: for the API and the admin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max, ProtectedError

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.accounts.models import Organization
from cerply.errors import Invalid
from cerply.permissions import Actor
from cerply.tracks.models import Item, Track

TRACK_FIELDS = {
    "externalId": "external_id",
    "title": "title",
    "description": "description",
    "criteria": "criteria",
    "language": "language",
    "certifiesFrom": "certifies_from",
    "validMonths": "valid_months",
}
ITEM_FIELDS = {"externalId": "external_id", "title": "title", "position": "position"}
TRACK_TAKEN = "The organization has a track with this external id already."
ITEM_TAKEN = "The track has an item with this external id already."
TWICE = "This external id is in the list twice."


@dataclass(slots=True)
class SavedItems:
    """In the order in which they were sent."""

    items: list[Item] = field(default_factory=list)
    created: int = 0
    updated: int = 0


@transaction.atomic
def save_track(organization_id: UUID, values: Mapping[str, Any], *, actor: Actor) -> tuple[Track, bool]:
    """Makes a track, or updates the one of this external id; whether it was made. Values are as `TrackInput`'s."""
    Organization.objects.locked().get(id=organization_id)
    external_id = values.get("externalId")
    known = Track.objects.for_organization(organization_id).filter(external_id=external_id).first()
    if external_id is not None and known is not None:
        return change_track(known.id, values, actor=actor), False
    return create_track(organization_id, values, actor=actor), True


@transaction.atomic
def create_track(organization_id: UUID | None, values: Mapping[str, Any], *, actor: Actor) -> Track:
    """Without an organization it is shared by all of them."""
    track = Track(organization_id=organization_id)
    _apply(track, values, TRACK_FIELDS)
    track.save(force_insert=True)
    record(_event(EventType.TRACK_CREATED, track, {"title": track.title}), actor=actor)
    return track


@transaction.atomic
def change_track(track_id: UUID, values: Mapping[str, Any], *, actor: Actor) -> Track:
    """What is left out stays. Raises `Invalid`."""
    track = Track.objects.select_for_update(no_key=True).get(id=track_id)
    if names := _apply(track, values, TRACK_FIELDS):
        twins = Track.objects.filter(organization=track.organization, external_id=track.external_id)
        if "externalId" in names and track.external_id and twins.exclude(id=track.id).exists():
            raise Invalid({"externalId": [TRACK_TAKEN]})
        track.save(update_fields=[TRACK_FIELDS[name] for name in names])
        record(_event(EventType.TRACK_UPDATED, track, {"fields": names}), actor=actor)
    return track


@transaction.atomic
def save_items(track_id: UUID, rows: Sequence[Mapping[str, Any]], *, actor: Actor) -> SavedItems:
    """Makes items, or updates those of known external ids; all of them or, with `Invalid`, none."""
    track = Track.objects.select_for_update(no_key=True).get(id=track_id)
    external_ids = [row["externalId"] for row in rows if "externalId" in row]
    if len(set(external_ids)) < len(external_ids):
        raise Invalid({"items": _repeated(rows)})
    known = {item.external_id: item for item in Item.objects.filter(track=track, external_id__in=external_ids)}
    last = Item.objects.filter(track=track).aggregate(last=Max("position"))["last"]
    position = -1 if last is None else last
    saved = SavedItems()
    fresh: list[Item] = []
    for row in rows:
        item = known.get(row.get("externalId"))
        if item is None:
            position += 1
            item = Item(track=track, position=min(position, 2**31 - 1))
            fresh.append(item)
        _apply(item, row, ITEM_FIELDS)
        saved.items.append(item)
    Item.objects.bulk_create(fresh)
    Item.objects.bulk_update(known.values(), ["title", "position"])
    saved.created, saved.updated = len(fresh), len(known)
    metadata = {"created": saved.created, "updated": saved.updated}
    record(_event(EventType.ITEMS_CHANGED, track, metadata), actor=actor)
    return saved


@transaction.atomic
def change_item(item_id: UUID, values: Mapping[str, Any], *, actor: Actor) -> Item:
    """What is left out stays. Retiring an item completes nobody by itself. Raises `Invalid`."""
    item = Item.objects.select_for_update(no_key=True, of=("self",)).select_related("track").get(id=item_id)
    names = _apply(item, values, ITEM_FIELDS)
    twins = Item.objects.filter(track=item.track, external_id=item.external_id).exclude(id=item.id)
    if "externalId" in names and item.external_id and twins.exists():
        raise Invalid({"externalId": [ITEM_TAKEN]})
    if "retired" in values and values["retired"] != (item.retired_at is not None):
        item.retired_at = clock.now() if values["retired"] else None
        names.append("retired")
    if names:
        item.save()
        metadata = {"itemId": str(item.id), "fields": names}
        record(_event(EventType.ITEMS_CHANGED, item.track, metadata), actor=actor)
    return item


@transaction.atomic
def remove_item(item_id: UUID, *, actor: Actor) -> bool:
    """Deletes an item that nobody has answered; one with answers is retired instead. Whether it was deleted."""
    item = Item.objects.select_related("track").get(id=item_id)
    try:
        with transaction.atomic():
            item.delete()
    except ProtectedError:
        change_item(item_id, {"retired": True}, actor=actor)
        return False
    metadata = {"itemId": str(item_id), "title": item.title, "deleted": True}
    record(_event(EventType.ITEMS_CHANGED, item.track, metadata), actor=actor)
    return True


def _apply(row: Track | Item, values: Mapping[str, Any], fields: Mapping[str, str]) -> list[str]:
    """Sets what the values say; returns the names of what is other than before."""
    names = []
    for name, attribute in fields.items():
        if name in values and getattr(row, attribute) != values[name]:
            setattr(row, attribute, values[name])
            names.append(name)
    return names


def _repeated(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[str]]]:
    seen: set[str] = set()
    problems = {}
    for index, row in enumerate(rows):
        external_id = row.get("externalId")
        if external_id in seen:
            problems[str(index)] = {"externalId": [TWICE]}
        if external_id:
            seen.add(external_id)
    return problems


def _event(type_: EventType, track: Track, metadata: Mapping[str, Any]) -> Event:
    return Event(type_, track.organization_id, "track", track.id, metadata)
