"""Sending to a receiver that may be anybody's: to the address that was checked, and within so many seconds in all.

The name is looked up once, and the connection goes to what came of it; the certificate must be the name's. Nothing is
followed, nothing of the environment counts, nothing is kept between two requests, and of the answer nothing but the
status is looked at: neither does what it says reach a log or a row.
"""

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from http.client import HTTPConnection, HTTPException
from io import BufferedReader
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from threading import Thread, Timer

from django.conf import settings

from notifications.webhooks.addresses import Address, NotAllowed, Target, refuse_private, target_of
from ops.outbox import NotTaken

# Of a name that has more: that many are tried.
MOST_ADDRESSES = 4
# So much of an answer is taken from the wire and thrown away, where it comes at once: who is cut short may log errors.
MOST_READ = 4096
READ_SECONDS = 1.0
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})( .*)?", re.DOTALL)
LONGEST_LINE = 8192
MOST_LINES = 100

type Resolver = Callable[[str], Sequence[Address]]


def look_up(host: str) -> list[Address]:
    """The addresses of the host, as this machine finds them."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [ip_address(str(place[0])) for *_, place in found]


def post(url: str, body: bytes, headers: Mapping[str, str], *, look_up: Resolver = look_up) -> int:
    """The status of the answer, whatever it is. Raises `NotTaken` where there is none, in words for staff."""
    until = time.monotonic() + settings.WEBHOOK_TIMEOUT
    try:
        target = target_of(url)
        addresses = _within(until, lambda: look_up(target.host))
        refuse_private(addresses)
        with closing(_connected(addresses, target, until)) as connection, _cut_off(connection, until):
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            _say(connection, target, body, headers)
            return _heard(connection)
    except NotAllowed as exc:
        raise NotTaken(str(exc)) from exc
    except (OSError, HTTPException, UnicodeError, ValueError) as exc:
        raise NotTaken(_sentence(exc, is_late=time.monotonic() >= until)) from exc


@cache
def _trust() -> ssl.SSLContext:
    """The authorities of this machine; making it takes 20 ms."""
    return ssl.create_default_context()


def forget_trust() -> None:
    """For who has changed which authorities this machine trusts."""
    _trust.cache_clear()


def _within[T](until: float, call: Callable[[], T]) -> T:
    """What the call returns; it may take longer, and is left to itself then. A name server can be anybody's, too."""
    results: SimpleQueue[tuple[T | None, Exception | None]] = SimpleQueue()

    def run() -> None:
        try:
            results.put((call(), None))
        except Exception as exc:
            results.put((None, exc))

    Thread(target=run, name="look-up", daemon=True).start()
    try:
        result, problem = results.get(timeout=_left(until))
    except Empty:
        raise TimeoutError from None
    if problem:
        raise problem
    return result  # type: ignore[return-value]


def _connected(addresses: Sequence[Address], target: Target, until: float) -> socket.socket:
    """To the first that takes the connection. TLS has not begun."""
    tried = list(dict.fromkeys(addresses))[:MOST_ADDRESSES]
    if not tried:
        raise socket.gaierror
    problem: OSError | None = None
    for number, address in enumerate(tried):
        try:
            share = _left(until) / (len(tried) - number)
            connection = socket.create_connection((str(address), target.port), timeout=share)
        except OSError as exc:
            problem = exc
            continue
        connection.settimeout(_left(until))
        if target.is_secure:
            return _trust().wrap_socket(connection, server_hostname=target.host, do_handshake_on_connect=False)
        return connection
    raise problem or TimeoutError


@contextmanager
def _cut_off(connection: socket.socket, until: float) -> Iterator[None]:
    """Shuts the connection at that time: a time limit of a socket is for each step, and there may be any number."""
    timer = Timer(_left(until), _shut, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut(connection: socket.socket) -> None:
    """The socket alone: an SSLSocket's own method takes TLS from under who is reading."""
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _say(connection: socket.socket, target: Target, body: bytes, headers: Mapping[str, str]) -> None:
    client = HTTPConnection(target.host, target.port)
    client.sock = connection
    client.request("POST", target.path, body, {"Host": target.host_header, "Connection": "close", **headers})


def _heard(connection: socket.socket) -> int:
    """The status, once the head of the answer is there as a whole. http.client takes the part of one for all of it."""
    with connection.makefile("rb") as stream:
        status = _head(stream)
        while status < 200:
            status = _head(stream)
        connection.settimeout(READ_SECONDS)
        with suppress(OSError):
            stream.read1(MOST_READ)
    return status


def _head(stream: BufferedReader) -> int:
    first = STATUS_LINE.fullmatch(_line(stream))
    if first is None:
        raise HTTPException
    for _ in range(MOST_LINES):
        if not _line(stream):
            return int(first[1])
    raise HTTPException


def _line(stream: BufferedReader) -> bytes:
    line = stream.readline(LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise HTTPException if len(line) == LONGEST_LINE else ConnectionError
    return line.rstrip(b"\r\n")


def _left(until: float) -> float:
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _sentence(problem: Exception, *, is_late: bool) -> str:
    """Without a word of the receiver's."""
    if is_late or isinstance(problem, TimeoutError):
        return f"It did not answer within {settings.WEBHOOK_TIMEOUT} seconds."
    if isinstance(problem, socket.gaierror | UnicodeError):
        return "Its name has no address."
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"Its certificate does not hold: {problem.verify_message.rstrip('.')}."
    if isinstance(problem, ssl.SSLError):
        return "There was no TLS connection with it."
    if isinstance(problem, ConnectionRefusedError):
        return "It refused the connection."
    if isinstance(problem, OSError):
        return "The connection with it broke."
    return "What it answered is no HTTP."
