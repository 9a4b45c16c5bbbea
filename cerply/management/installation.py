"""A running installation, asked by HTTP under its public address, or one of its processes as the proxy would."""

import json
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from django.conf import settings

# Longer than any answer that is asked for here.
LONGEST_ANSWER = 1024 * 1024


class Silent(Exception):
    """No answer came; with the reason."""


class NoRedirects(HTTPRedirectHandler):
    """Where it leads is not what was asked."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Message
    content: bytes

    def __str__(self) -> str:
        said = self.content[:200].decode(errors="replace")
        if self.status in {301, 302, 307, 308}:
            said = f"leads to {self.headers.get('Location')}"
        return f"{self.status}: {' '.join(said.split())}"

    @property
    def body(self) -> Any:
        """What its JSON says; None where it is none."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None

    @property
    def error_code(self) -> str | None:
        """The code in our envelope; None where there is no envelope around it."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        if not isinstance(error, dict) or not error.get("message"):
            return None
        is_ours = error.get("requestId") == self.headers.get("X-Request-ID")
        return str(error.get("code")) if is_ours else None


class Installation:
    """``timeout``: seconds to wait for each sign of an answer."""

    def __init__(self, url: str, timeout: float) -> None:
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.is_asked_as_by_proxy = self.url != settings.PUBLIC_URL
        # Nothing between us and it but what is there for everybody: no proxy of this machine's.
        self._opener = build_opener(NoRedirects, ProxyHandler({}))

    def ask(self, path: str, *, host: str = "", **headers: str) -> Answer:
        """``host``: for what is published under another name than the public address's."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        url = self.url
        if self.is_asked_as_by_proxy:
            given |= {"Host": host or settings.PUBLIC_HOST, "X-Forwarded-Proto": urlsplit(settings.PUBLIC_URL).scheme}
        elif host:
            url = f"{urlsplit(self.url).scheme}://{host}"
        request = Request(f"{url}{path}", headers=given)  # noqa: S310 - the command takes http(s) alone
        try:
            with self._open(request) as response:
                return Answer(response.status, response.headers, response.read(LONGEST_ANSWER))
        except (OSError, HTTPException) as exc:
            reason = getattr(exc, "reason", None) or exc
            raise Silent(str(reason) or type(reason).__name__) from exc

    def _open(self, request: Request) -> Any:
        """The answer, whatever its status."""
        try:
            return self._opener.open(request, timeout=self.timeout)
        except HTTPError as exc:
            return exc
