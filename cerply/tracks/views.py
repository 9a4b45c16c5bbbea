"""Tracks and their items."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply.errors import Forbidden, NotFound
from cerply.openapi import PAGE_PARAMETERS
from cerply.requests import WRITES
from cerply.tracks import editing, representation, serializers
from cerply.tracks.models import Item, Track
from ops.api import ApiView

TAGS = ["material"]


class TrackRoute(ApiView):
    """Anyone signed in reads; the organization's admin changes what is its own."""

    track: Track

    def permit(self) -> None:
        if self.request.method in WRITES:
            self.require(self.caller.administers)

    def find(self) -> None:
        if "track_id" not in self.kwargs:
            return
        found = Track.objects.usable_by(self.caller).filter(id=self.kwargs["track_id"]).first()
        if found is None:
            raise NotFound("There is no such track.")
        if self.request.method in WRITES and found.organization_id != self.caller.organization_id:
            raise Forbidden("A track that is shared by all organizations is changed by staff alone.")
        self.track = found


class TracksView(TrackRoute):
    @extend_schema(
        operation_id="listTracks",
        summary="The organization's own tracks and the shared ones, by title",
        tags=TAGS,
        parameters=PAGE_PARAMETERS,
        responses={200: serializers.TrackPage},
    )
    def get(self, request: Request) -> Response:
        tracks = Track.objects.usable_by(self.caller).with_item_counts().order_by("title", "id")
        return Response(self.page().of_queryset("tracks", tracks, representation.track_row))

    @extend_schema(
        operation_id="saveTrack",
        summary="Make a track",
        description="A known `externalId` makes it an update (200): what is left out stays.",
        tags=TAGS,
        request=serializers.TrackInput,
        responses={200: serializers.Track, 201: serializers.Track},
    )
    def post(self, request: Request) -> Response:
        values = self.valid(serializers.TrackInput)
        track, is_new = editing.save_track(self.caller.member_of, values, actor=self.caller.actor)
        return Response(representation.track(track), status=201 if is_new else 200)


class TrackView(TrackRoute):
    @extend_schema(
        operation_id="getTrack", summary="One track with its items", tags=TAGS, responses={200: serializers.Track}
    )
    def get(self, request: Request, track_id: UUID) -> Response:
        return Response(representation.track(self.track))

    @extend_schema(
        operation_id="changeTrack",
        summary="Change a track",
        tags=TAGS,
        request=serializers.TrackPatch,
        responses={200: serializers.Track},
    )
    def patch(self, request: Request, track_id: UUID) -> Response:
        values = self.valid(serializers.TrackPatch)
        return Response(representation.track(editing.change_track(self.track.id, values, actor=self.caller.actor)))


class ItemsView(TrackRoute):
    @extend_schema(
        operation_id="saveItems",
        summary="Make up to 1,000 items",
        description="A known `externalId` makes it an update. 200 when all of them were; whole or not at all.",
        tags=TAGS,
        request=serializers.ItemsInput,
        responses={200: serializers.ItemsSaved, 201: serializers.ItemsSaved},
    )
    def post(self, request: Request, track_id: UUID) -> Response:
        rows = self.valid(serializers.ItemsInput)["items"]
        saved = editing.save_items(self.track.id, rows, actor=self.caller.actor)
        items = [representation.saved_item(item) for item in saved.items]
        body = {"items": items, "created": saved.created, "updated": saved.updated}
        return Response(body, status=201 if saved.created else 200)


class ItemView(TrackRoute):
    def find(self) -> None:
        super().find()
        if not Item.objects.filter(track=self.track, id=self.kwargs["item_id"]).exists():
            raise NotFound("The track has no such item.")

    @extend_schema(
        operation_id="changeItem",
        summary="Change or retire an item",
        tags=TAGS,
        request=serializers.ItemPatch,
        responses={200: serializers.SavedItem},
    )
    def patch(self, request: Request, track_id: UUID, item_id: UUID) -> Response:
        values = self.valid(serializers.ItemPatch)
        return Response(representation.saved_item(editing.change_item(item_id, values, actor=self.caller.actor)))
