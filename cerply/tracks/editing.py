"""Making and changing tracks and items: for the API and the admin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Max, ProtectedError

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.accounts.models import Organization
from cerply.constraints import translated
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
TAKEN = {
    "tracks_external_id_unique": ("externalId", TRACK_TAKEN),
    "items_external_id_unique_in_track": ("externalId", ITEM_TAKEN),
}
# Of one call, in its event: how many there were is said whatever their number.
MOST_NAMED = 100
TWICE = "This external id is in the list twice."
NEEDS_A_TITLE = {"title": ["This field is required for a new one."]}


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
    """Without an organization it is shared by all of them. Raises `Invalid`."""
    if "title" not in values:
        raise Invalid(NEEDS_A_TITLE)
    track = Track(organization_id=organization_id)
    _apply(track, values, TRACK_FIELDS)
    with translated(TAKEN):
        track.save(force_insert=True)
    metadata = {"title": track.title, "externalId": track.external_id, "certifiesFrom": track.certifies_from}
    record(_event(EventType.TRACK_CREATED, track, metadata), actor=actor)
    return track


@transaction.atomic
def change_track(track_id: UUID, values: Mapping[str, Any], *, actor: Actor) -> Track:
    """What is left out stays. Raises `Invalid`."""
    # The organization first, as `save_track` does, which looks for the external id; shared tracks have none.
    Organization.objects.locked().filter(tracks=track_id).first()
    track = Track.objects.select_for_update(no_key=True).get(id=track_id)
    if changes := _apply(track, values, TRACK_FIELDS):
        with translated(TAKEN):
            track.save(update_fields=[TRACK_FIELDS[name] for name in changes])
        record(_event(EventType.TRACK_UPDATED, track, {"changes": changes}), actor=actor)
    return track


@transaction.atomic
def save_items(track_id: UUID, rows: Sequence[Mapping[str, Any]], *, actor: Actor) -> SavedItems:
    """Makes items, or updates those of known external ids; all of them or, with `Invalid`, none."""
    track = Track.objects.select_for_update(no_key=True).get(id=track_id)
    external_ids = [row["externalId"] for row in rows if row.get("externalId")]
    if len(set(external_ids)) < len(external_ids):
        raise Invalid({"items": _repeated(rows)})
    known = {item.external_id: item for item in Item.objects.filter(track=track, external_id__in=external_ids)}
    untitled = [index for index, row in enumerate(rows) if "title" not in row and row.get("externalId") not in known]
    if untitled:
        raise Invalid({"items": {str(index): NEEDS_A_TITLE for index in untitled}})
    last = Item.objects.filter(track=track).aggregate(last=Max("position"))["last"]
    position = -1 if last is None else last
    saved = SavedItems()
    fresh: list[Item] = []
    changed: list[dict[str, Any]] = []
    for row in rows:
        item = known.get(row.get("externalId"))
        if item is None:
            position += 1
            item = Item(track=track, position=min(position, 2**31 - 1))
            fresh.append(item)
        changes = _apply(item, row, ITEM_FIELDS)
        if changes and not item._state.adding:
            changed.append({"itemId": str(item.id), "changes": changes})
        saved.items.append(item)
    Item.objects.bulk_create(fresh)
    Item.objects.bulk_update(known.values(), ["title", "position"])
    saved.created, saved.updated = len(fresh), len(known)
    metadata = {
        "created": saved.created,
        "updated": saved.updated,
        "createdItems": [{"itemId": str(item.id), "title": item.title} for item in fresh[:MOST_NAMED]],
        "updatedItems": changed[:MOST_NAMED],
    }
    record(_event(EventType.ITEMS_CHANGED, track, metadata), actor=actor)
    return saved


@transaction.atomic
def change_item(item_id: UUID, values: Mapping[str, Any], *, actor: Actor) -> Item:
    """What is left out stays. Retiring an item completes nobody by itself. Raises `Invalid`."""
    # The track first, as `save_items` does, which looks for external ids.
    Track.objects.select_for_update(no_key=True, of=("self",)).get(items=item_id)
    item = Item.objects.select_for_update(no_key=True, of=("self",)).select_related("track").get(id=item_id)
    changes = _apply(item, values, ITEM_FIELDS)
    retired = item.retired_at is not None
    if "retired" in values and values["retired"] != retired:
        item.retired_at = clock.now() if values["retired"] else None
        changes["retired"] = {"before": retired, "after": not retired}
    if changes:
        with translated(TAKEN):
            item.save()
        metadata = {"itemId": str(item.id), "changes": changes}
        record(_event(EventType.ITEMS_CHANGED, item.track, metadata), actor=actor)
    return item


@transaction.atomic
def remove_item(item_id: UUID, *, actor: Actor) -> bool:
    """Deletes an item that nobody has answered; one with answers is retired instead. Whether it was deleted."""
    item = Item.objects.select_related("track").get(id=item_id)
    try:
        with transaction.atomic():
            item.delete()
            # An answer may have come since the deletion looked for some: the database looks now, not at the commit.
            connection.check_constraints()
    except (ProtectedError, IntegrityError):
        change_item(item_id, {"retired": True}, actor=actor)
        return False
    metadata = {"itemId": str(item_id), "title": item.title, "deleted": True}
    record(_event(EventType.ITEMS_CHANGED, item.track, metadata), actor=actor)
    return True


def _apply(row: Track | Item, values: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Sets what the values say; returns what is other than before, by the name of the field."""
    changes = {}
    for name, attribute in fields.items():
        before = getattr(row, attribute)
        if name in values and before != values[name]:
            setattr(row, attribute, values[name])
            changes[name] = {"before": before, "after": values[name]}
    return changes


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
