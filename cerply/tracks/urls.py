"""Tracks and items, below ``/api``."""

from cerply.routing import route
from cerply.tracks import views

urlpatterns = [
    route("tracks", views.TracksView, "tracks"),
    route("tracks/<id:track_id>", views.TrackView, "track"),
    route("tracks/<id:track_id>/items", views.ItemsView, "items"),
    route("tracks/<id:track_id>/items/<id:item_id>", views.ItemView, "item"),
]
