"""How mail leaves: by the mail server or provider that is configured, counted."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string

from cerply.metrics import Tally

EMAILS = Tally("emails", "Tries to hand an e-mail to the mail server or provider.", "outcome", ["sent", "failed"])


def counted(mailer: dict[str, Any]) -> dict[str, Any]:
    """The entry of ``MAILERS`` that does the same, and counts."""
    return {"BACKEND": f"{__name__}.backend", "OPTIONS": mailer["OPTIONS"] | {"sends": mailer["BACKEND"]}}


def backend(*, sends: str, **options: Any) -> BaseEmailBackend:
    return _counting(sends)(**options)


@cache
def _counting(name: str) -> type[BaseEmailBackend]:
    class Counting(import_string(name)):  # type: ignore[misc]
        def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
            try:
                sent: int = super().send_messages(email_messages) or 0
            except Exception:
                EMAILS.count("failed", len(email_messages))
                raise
            EMAILS.count("sent", sent)
            return sent

    return Counting
