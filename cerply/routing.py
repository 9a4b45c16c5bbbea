"""Paths of the API. Ids take any text here: a malformed one is 400 with a reason, not 404."""

from django.urls import URLPattern, path, register_converter

from cerply.views import ApiView


class SegmentConverter:
    """Any text but NUL, which no database keeps."""

    regex = "[^/\\x00]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: object) -> str:
        return str(value)


class IdConverter(SegmentConverter):
    """What `ApiView.parsed_ids` makes a UUID of."""

    regex = "[^/]+"


register_converter(IdConverter, "id")
register_converter(SegmentConverter, "segment")


def route(pattern: str, view: type[ApiView], name: str) -> URLPattern:
    """A route below ``/api``: ``route("tracks/<id:track_id>", TrackView, "track")``."""
    return path(pattern, view.as_view(), name=name)
