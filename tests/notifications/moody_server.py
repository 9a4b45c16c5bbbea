"""A mail server that has its moods, and remembers each copy of a message that it took."""

import asyncio
import random
from dataclasses import dataclass
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.mail_server import OK, MailServer

# The seconds that clients wait for an answer where they are to wait in vain.
IMPATIENT = 1
UNKNOWN_MAILBOX = "550 5.1.1 No such mailbox"


@dataclass
class Copy:
    """A message as the server took it, in which step, and whether it could say so."""

    step: int
    message: EmailMessage
    acknowledged: bool

    @property
    def name(self) -> str:
        return str(self.message["Message-ID"])


class MoodyServer(MailServer):
    """Misbehaves by chance, as often as its mood of the moment says."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chances = random.Random(seed)
        self.mood = 0.0
        self.step = 0
        # So many messages more are never answered.
        self.hangs = 0
        self.copies: list[Copy] = []
        self.no_mailbox: set[str] = set()
        # Who was refused, in which step, with what.
        self.refused: list[tuple[int, str, str]] = []
        self.on_recipient = self.answer_recipient
        self.on_taken = lambda: self.odd(self.DROP)

    def odd(self, *oddities: str) -> str:
        return self.chances.choice(oddities) if self.chances.random() < self.mood else OK

    def answer_recipient(self, address: str) -> str:
        answer = self.odd("451 4.3.0 Out of order", "450 4.2.1 Later", "554 5.7.1 Not from you")
        if address in self.no_mailbox:
            answer = UNKNOWN_MAILBOX
        if answer != OK:
            self.refused.append((self.step, address, answer))
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        step, hangs = self.step, self.hangs > 0
        if hangs:
            self.hangs -= 1
            await asyncio.sleep(2 * IMPATIENT)
        self.on_data = lambda: self.DROP if hangs else self.odd("452 4.3.1 Full", "554 5.6.0 Not like this", self.DROP)
        answer = await super().handle_DATA(server, session, envelope)
        if self.taken:
            self.copies.append(Copy(step, self.taken.pop(), acknowledged=answer == OK))
        elif answer != self.DROP:
            self.refused.append((step, envelope.rcpt_tos[0], answer))
        return answer
