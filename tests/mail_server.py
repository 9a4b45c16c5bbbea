"""A real mail server on loopback that misbehaves when it is told to, and a manager's mailbox in it."""

import asyncio
import email
import email.policy
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_django import Settings

OK = "250 OK"


class MailServer:
    """Keeps what it took. Each of its hooks answers one step of the conversation; DROP hangs up in the middle of it."""

    DROP = "drop"

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        # The same, byte by byte.
        self.raw: list[bytes] = []
        self.connections = 0
        self.most_per_connection = 1000
        self._on_this_one = 0
        self.on_recipient: Callable[[str], str] = lambda address: OK
        # Before and after the message is in the mailbox.
        self.on_data: Callable[[], str] = lambda: OK
        self.on_taken: Callable[[], str] = lambda: OK
        self.port = free_port()
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        self._on_this_one = 0
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self._on_this_one += 1
        if self._on_this_one > self.most_per_connection:
            return "421 4.7.0 Too many messages for this connection"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return OK

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        answer = self.on_recipient(address)
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.on_data()
        if answer == OK:
            content = envelope.original_content or b""
            self.raw.append(content)
            self.taken.append(email.message_from_bytes(content, policy=email.policy.default))
            answer = self.on_taken()
        if answer == self.DROP:
            transport = server.transport
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
        return answer

    @property
    def recipients(self) -> list[str]:
        """Of what it took, in its order."""
        return [str(message["To"]) for message in self.taken]

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.taken if address in str(message["To"])]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def name_server(settings: Settings, port: int, timeout: float = 5) -> None:
    """Has mail sent there."""
    options = {"host": "127.0.0.1", "port": port, "timeout": timeout}
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}


@contextmanager
def mail_server(settings: Settings) -> Iterator[MailServer]:
    """Started, and named by the settings."""
    server = MailServer()
    server.controller.start()
    name_server(settings, server.port)
    try:
        yield server
    finally:
        server.controller.stop()


@contextmanager
def silent_server(settings: Settings) -> Iterator[None]:
    """One that takes connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        name_server(settings, listening.getsockname()[1], timeout=0.2)
        yield
