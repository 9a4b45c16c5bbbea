"""Requests as a WSGI server hands them over."""

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest


class Utf8Request(WSGIRequest):
    """Paths, queries and forms are UTF-8, whatever charset the Content-Type names; JSON bodies refuse another."""

    @property
    def encoding(self) -> None:
        return None

    @encoding.setter
    def encoding(self, value: str) -> None:
        """Django would decode the query with it."""


class Application(WSGIHandler):
    request_class = Utf8Request
