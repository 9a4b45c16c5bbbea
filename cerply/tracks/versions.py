"""Which version of a track somebody is certified for."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from cerply.tracks.models import Item, Track, TrackVersion


@transaction.atomic
def current_versions(tracks: Iterable[Track]) -> dict[UUID, TrackVersion]:
    """The version of each track as it is now, made where its content is new. Two queries, if none is."""
    ids = {track.id for track in tracks}
    wanted = _drafts(ids)
    versions = _known(wanted)
    missing = ids - versions.keys()
    if missing:
        # Under the tracks' locks, so that a version counts up once.
        list(Track.objects.filter(id__in=missing).order_by("id").select_for_update(no_key=True))
        drafts = _drafts(missing)
        versions |= _known(drafts)
        numbers = dict(
            TrackVersion.objects.filter(track_id__in=missing)
            .values_list("track_id")
            .annotate(last=Max("number"))
            .order_by()
        )
        fresh = [draft for track_id, draft in drafts.items() if track_id not in versions]
        for draft in fresh:
            draft.number = numbers.get(draft.track_id, 0) + 1
        TrackVersion.objects.bulk_create(fresh)
        versions |= {draft.track_id: draft for draft in fresh}
    return versions


def _known(drafts: dict[UUID, TrackVersion]) -> dict[UUID, TrackVersion]:
    """Those of the drafts that are there already."""
    digests = {track_id: bytes(draft.content_sha256) for track_id, draft in drafts.items()}
    found = TrackVersion.objects.filter(track_id__in=digests, content_sha256__in=digests.values())
    return {
        version.track_id: version for version in found if bytes(version.content_sha256) == digests[version.track_id]
    }


def _drafts(track_ids: set[UUID]) -> dict[UUID, TrackVersion]:
    """The tracks' content as it is, read anew: the caller's objects may be old."""
    titles: dict[UUID, list[str]] = defaultdict(list)
    items = Item.objects.active().filter(track_id__in=track_ids).order_by("track_id", "position", "id")
    for track_id, title in items.values_list("track_id", "title"):
        titles[track_id].append(title)
    return {track.id: _draft(track, titles[track.id]) for track in Track.objects.filter(id__in=track_ids)}


def _draft(track: Track, items: list[str]) -> TrackVersion:
    content = [track.title, track.description, track.criteria, track.language, items]
    return TrackVersion(
        track=track,
        number=0,
        content_sha256=hashlib.sha256(json.dumps(content).encode()).digest(),
        title=track.title,
        description=track.description,
        criteria=track.criteria,
        language=track.language,
        items=items,
    )
