"""Receivers of webhooks on loopback, good ones and bad ones: sockets and nothing else, so that they may do anything."""

import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import Webhook

from tests.certificates.sealers import make_key, named, pem_of, pem_of_key

USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)

type Behaviour = Callable[["Receiver", socket.socket], None]


@dataclass(frozen=True)
class Received:
    line: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified_with(self, secret: str) -> object:
        """What the reference implementation of Standard Webhooks takes it for; it raises for what is not genuine."""
        return Webhook(secret).verify(self.body.decode(), dict(self.headers))


@dataclass
class Receiver:
    """Does one thing after the other with each request it gets, the last of them for ever."""

    behaviours: list[Behaviour] = field(default_factory=lambda: [answer(204)])
    context: ssl.SSLContext | None = None
    received: list[Received] = field(default_factory=list)
    over: Event = field(default_factory=Event)
    connections: int = 0
    # Said to everybody, before anything is asked.
    greeting: bytes = b""

    def __enter__(self) -> Self:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])
        self.threads = [Thread(target=self._accept, daemon=True)]
        self.threads[0].start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.over.set()
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for thread in self.threads:
            thread.join(timeout=60)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?from=cerply"

    def does(self, *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours)

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            thread = Thread(target=self._serve, args=[connection], daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(30)
            connection.sendall(self.greeting)
            if self.context is None:
                self._take(connection)
            else:
                with self.context.wrap_socket(connection, server_side=True) as secured:
                    self._take(secured)

    def _take(self, connection: socket.socket) -> None:
        if request := read_request(connection):
            self.received.append(request)
            behaviour = self.behaviours[0] if len(self.behaviours) == 1 else self.behaviours.pop(0)
            behaviour(self, connection)


def read_request(connection: socket.socket) -> Received | None:
    head = b""
    while b"\r\n\r\n" not in head:
        if not (some := connection.recv(4096)):
            return None
        head += some
    head, _, body = head.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(4096)
    return Received(line, headers, body)


# -- what they do --


def answer(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return say("\r\n".join([*lines, "", ""]).encode() + body)


def say(content: bytes) -> Behaviour:
    """These bytes, and closes."""
    return lambda receiver, connection: connection.sendall(content)


def hang(receiver: Receiver, connection: socket.socket) -> None:
    """Says nothing for as long as the client is there."""
    connection.recv(1)


def reset(receiver: Receiver, connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def go_on_with(content: bytes, begin: bytes = b"", pause: float = 0) -> Behaviour:
    """Says it over and over, for as long as the client is there."""

    def behave(receiver: Receiver, connection: socket.socket) -> None:
        connection.sendall(begin)
        while not receiver.over.wait(pause):
            connection.sendall(content)

    return behave


# -- TLS --


@dataclass(frozen=True)
class Authority:
    """Who certifies receivers. ``folder`` takes the files that OpenSSL wants."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=make_key, repr=False)

    def trusted(self) -> Path:
        """A file of it, for ``SSL_CERT_FILE``."""
        public = self.key.public_key()
        certificate = (
            self._builder(public, "Authority of receivers")
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**dict.fromkeys(USAGES, False) | {"key_cert_sign": True}), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        path = self.folder / "authority.pem"
        path.write_bytes(pem_of(certificate))
        return path

    def server(self, *names: str, ends: timedelta = timedelta(days=1)) -> ssl.SSLContext:
        """A receiver's side, with a certificate for these names and addresses."""
        key = make_key()
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = (
            self._builder(key.public_key(), "A receiver", ends)
            .add_extension(x509.SubjectAlternativeName([*map(_general, names)]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        path = self.folder / "receiver.pem"
        path.write_bytes(pem_of_key(key) + pem_of(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _builder(
        self, key: ec.EllipticCurvePublicKey, name: str, ends: timedelta = timedelta(days=1)
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named("Authority of receivers"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + ends)
        )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
