"""What a mail server's or a provider's refusal means: for this message, for this address, or for all of them."""

import re
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from anymail.exceptions import AnymailRecipientsRefused, AnymailRequestsAPIError
from django.core.mail.backends.base import BaseEmailBackend
from urllib3.exceptions import MaxRetryError

from ops.outbox import Refused, Unreachable

# RFC 3463: the mailbox, or its domain, does not exist.
NO_SUCH_MAILBOX = re.compile(r"\b5\.1\.(?:1|2|3|6|10)\b")
# Answers of a provider that speak of one message, and of us.
OF_THE_MESSAGE = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY})
OF_US = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN})


class NoSuchMailbox(Refused):
    """Nobody is at the address, now or later."""


class NotNow(Exception):
    """It may be taken when it is tried again."""


@contextmanager
def opening() -> Iterator[None]:
    """Raises `Unreachable` for whatever keeps a connection from being opened."""
    try:
        yield
    except OSError as exc:  # also smtplib's: not there, not what it should be, no password
        raise Unreachable(f"{type(exc).__name__}: {exc}") from exc


@contextmanager
def sending(address: str, connection: BaseEmailBackend) -> Iterator[None]:
    """Raises `Refused`, `NotNow` or `Unreachable`; after any of them the next message opens another connection."""
    try:
        yield
    except Exception as exc:
        hang_up(connection)
        raise _meaning(exc, address) from exc


def hang_up(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except OSError:  # it was broken already
        connection.connection = None  # type: ignore[attr-defined]


def _meaning(exc: Exception, address: str) -> Exception:
    match exc:
        case smtplib.SMTPRecipientsRefused():
            code, text = next(iter(exc.recipients.values()))
            return _answered(code, text, address)
        case smtplib.SMTPSenderRefused(smtp_code=421):
            # It has had enough of this connection; the next message opens another one.
            return NotNow(_without(address, f"421 {_decoded(exc.smtp_error)}"))
        case smtplib.SMTPSenderRefused():
            return Unreachable(_without(address, f"The sender is refused: {exc.smtp_code} {_decoded(exc.smtp_error)}"))
        case smtplib.SMTPResponseException():
            return _answered(exc.smtp_code, exc.smtp_error, address)
        case AnymailRecipientsRefused():
            return NoSuchMailbox("The provider does not send to this address any more.")
        case AnymailRequestsAPIError():
            return _answered_by_provider(exc)
        case ValueError():
            return Refused(_without(address, f"The address cannot be written to: {exc}"))
        case _:
            return NotNow(_without(address, f"{type(exc).__name__}: {exc}"))


def _answered(code: int, text: bytes | str, address: str) -> Exception:
    said = _without(address, f"{code} {_decoded(text)}")
    if code < 500:
        return NotNow(said)
    return NoSuchMailbox(said) if NO_SUCH_MAILBOX.search(said) else Refused(said)


def _answered_by_provider(exc: AnymailRequestsAPIError) -> Exception:
    status: Any = getattr(exc, "status_code", None)
    if status is None:
        if _was_connected(exc):
            return NotNow("The provider did not answer: it may have taken it.")
        return Unreachable("The provider cannot be reached.")
    if status in OF_US:
        return Unreachable(f"The provider answers {status}: it takes nothing from us.")
    said = f"The provider answers {status}."
    return Refused(said) if status in OF_THE_MESSAGE else NotNow(said)


def _was_connected(exc: AnymailRequestsAPIError) -> bool:
    """Whether the message may be with the provider, by what kept its answer away."""
    cause = exc.__cause__
    never = isinstance(cause, ValueError) or any(isinstance(why, MaxRetryError) for why in getattr(cause, "args", ()))
    return not never


def _decoded(text: bytes | str) -> str:
    return text.decode(errors="replace") if isinstance(text, bytes) else text


def _without(address: str, text: str) -> str:
    """Staff see it: whose address it is, the row says."""
    return re.sub(re.escape(address), "…", " ".join(text.split()), flags=re.IGNORECASE)
