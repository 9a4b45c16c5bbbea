"""A proxy before a server, which hands everything on but what it is told to spoil."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Handed:
    """What goes through: the request's headers on the way there, the answer's on the way back."""

    path: str
    headers: dict[str, str]
    status: int = 0
    body: bytes = b""


type Spoil = Callable[[Handed], None]


def nothing(handed: Handed) -> None:
    """Hands it on as it is."""


@contextmanager
def proxy(port: int, *, there: Spoil = nothing, back: Spoil = nothing) -> Iterator[str]:
    """Its address; behind it is what listens at the port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = Handed(self.path, dict(self.headers.items()))
            there(asked)
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                connection.request("GET", asked.path, headers=asked.headers)
                answer = connection.getresponse()
                headers = {name.title(): text for name, text in answer.headers.items()}
                headers.pop("Transfer-Encoding", None)  # it is handed on in one piece
                answered = Handed(self.path, headers, answer.status, answer.read())
            finally:
                connection.close()
            back(answered)
            self.send_response(answered.status)
            for name, text in (answered.headers | {"Content-Length": str(len(answered.body))}).items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(answered.body)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
