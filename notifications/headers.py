"""Headers that programs read: as they are, in one line.

Python folds what is long by encoding it as words (RFC 2047), also where no word may be: of an encoded
``List-Unsubscribe`` mailbox providers make no button, and by an encoded ``References`` no thread is found.
"""

from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import EmailPolicy, Policy, default

from django.core.mail import EmailMultiAlternatives


class Verbatim(UnstructuredHeader, BaseHeader):
    """Of ASCII, and shorter than the 998 characters that a line may have (RFC 5322, 2.1.1)."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


REGISTRY = HeaderRegistry()
for name in ("List-Unsubscribe", "Message-ID", "In-Reply-To", "References"):
    REGISTRY.map_to_type(name, Verbatim)


class MailForPrograms(EmailMultiAlternatives):
    """With those headers left as they are."""

    def message(self, *, policy: Policy | None = None) -> EmailMessage:
        asked = policy if isinstance(policy, EmailPolicy) else default
        return super().message(policy=asked.clone(header_factory=REGISTRY))
