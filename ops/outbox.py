"""What is owed to the outside: a row each, tried with pauses, until it is taken or given up where staff sees it.

A row is claimed in a transaction of its own, which counts the try and puts the next one off; then it is locked while
it is sent. So of any number of workers one has it, and one that is killed leaves it owed: at most what it had in its
hand goes out again, after the pause. What kills its worker each time is given up like what fails each time.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Self
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q

from cerply import clock
from cerply.identifiers import uuid7

logger = logging.getLogger(__name__)

# In seconds. The jobs that work off an outbox come every minute, and two may overlap.
LONGEST_RUN = 50
INTERRUPTED = "The worker was killed each time."
ERROR_LENGTH = 500


class Refused(Exception):
    """It will not be taken however often it is tried. The text says why, and is shown to staff."""


class NotTaken(Exception):
    """It was not taken this time, and is tried again. The text says why, and is shown to staff as it is."""


class Unreachable(Exception):
    """Nobody is there who could take anything. The run ends, and no row has had a try. The text is for the log."""


# What is told of a row that is given up: its last failure, or None where the worker was killed each time.
type GivenUp[Row] = Callable[[Row, Exception | None], None]


class OutboxState(models.TextChoices):
    DUE = "due", "Due"
    SENT = "sent", "Sent"
    DROPPED = "dropped", "Not sent, on purpose"
    DEAD = "dead", "Given up"


class Owed(models.Model):
    """Something to be sent. ``due_at`` is when it is tried next, or again."""

    # Before each further try; after one more it is given up.
    PAUSES: ClassVar[Sequence[timedelta]]
    # What `work_off` saves of a row. A model adds what it keeps of each try, also of one that failed.
    MOVING: ClassVar[Sequence[str]] = ("state", "tries", "due_at", "finished_at", "error")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    state = models.CharField(max_length=16, choices=OutboxState, default=OutboxState.DUE)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)
    due_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    # Why the last try failed, in words for staff.
    error = models.CharField(max_length=ERROR_LENGTH, blank=True)

    class Meta:
        abstract = True

    def finish(self, state: OutboxState, error: str = "") -> None:
        """Sets it in memory; `work_off` saves it."""
        self.state, self.finished_at, self.error = state, clock.now(), error[:ERROR_LENGTH]

    def put_off(self, error: str) -> None:
        """To the next try; after the last one it is given up."""
        if self.tries > len(self.PAUSES):
            self.finish(OutboxState.DEAD, error)
        else:
            self.due_at, self.error = clock.now() + self.PAUSES[self.tries - 1], error[:ERROR_LENGTH]

    def revive(self) -> None:
        """Sets it in memory to be tried anew, as often as in the beginning."""
        self.state, self.tries, self.due_at, self.finished_at = OutboxState.DUE, 0, clock.now(), None


def _nothing(row: Owed, exc: Exception | None) -> None:
    pass


class OwedQuerySet[Row: Owed](models.QuerySet[Row]):
    def due(self, moment: datetime) -> Self:
        return self.filter(state=OutboxState.DUE, due_at__lte=moment).order_by("due_at", "id")

    def revive(self) -> int:
        """All of these, to be tried anew, as often as in the beginning. Returns how many."""
        return self.update(state=OutboxState.DUE, tries=0, due_at=clock.now(), finished_at=None)

    def work_off(
        self,
        send: Callable[[Row], OutboxState],
        given_up: GivenUp[Row] = _nothing,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> Counter[OutboxState]:
        """Sends what is due among these rows, one after the other; returns how many ended in which state.

        ``send`` gets the row locked, in a transaction, saves what else it changes of it, and returns
        `OutboxState.SENT` or ``DROPPED`` (with ``row.error`` as the reason). What it raises is the failure of a try:
        `Refused` of the last one, anything else of one to be repeated; in the result they count as DEAD and DUE.
        ``given_up`` is told of the dead, in the same transaction. `Unreachable` comes through.
        ``goes_on`` is asked before each row.
        """
        until = time.monotonic() + LONGEST_RUN
        ended: Counter[OutboxState] = Counter()
        while time.monotonic() < until and goes_on():
            claimed = self._claim(given_up)
            if claimed is None:
                break
            end = self._settle(*claimed, send, given_up)
            if isinstance(end, Unreachable):
                raise end
            if end:
                ended[end] += 1
        return ended

    @transaction.atomic
    def _claim(self, given_up: GivenUp[Row]) -> tuple[UUID, int] | None:
        row = self.due(clock.now()).select_for_update(skip_locked=True, of=("self",)).first()
        if row is None:
            return None
        row.tries += 1
        if row.tries > len(row.PAUSES) + 1:
            row.finish(OutboxState.DEAD, INTERRUPTED)
            _give_up(row, None, given_up)
        else:
            row.due_at = clock.now() + row.PAUSES[min(row.tries, len(row.PAUSES)) - 1]
        row.save(update_fields=row.MOVING)
        return row.id, row.tries

    @transaction.atomic
    def _settle(
        self,
        row_id: UUID,
        tries: int,
        send: Callable[[Row], OutboxState],
        given_up: GivenUp[Row],
    ) -> OutboxState | Unreachable | None:
        mine = self.model._base_manager.filter(id=row_id, tries=tries, state=OutboxState.DUE)
        row: Row | None = mine.select_for_update(skip_locked=True, of=("self",)).first()
        if row is None:
            return None
        failure: Exception | None = None
        try:
            with transaction.atomic():
                state = send(row)
            row.finish(state, row.error if state is OutboxState.DROPPED else "")
        except Unreachable as exc:
            mine.update(tries=tries - 1, due_at=clock.now())
            return exc
        except Refused as exc:
            failure = exc
            row.finish(OutboxState.DEAD, str(exc))
        except NotTaken as exc:
            failure = exc
            row.put_off(str(exc))
        except Exception as exc:  # whatever it is, the others are sent
            failure = exc
            row.put_off(f"{type(exc).__name__}: {exc}".replace("\0", ""))
        if row.state == OutboxState.DEAD:
            _give_up(row, failure, given_up)
        elif row.state == OutboxState.DUE:
            logger.warning("%s was not sent, and is tried again: %s", _named(row), row.error)
        row.save(update_fields=row.MOVING)
        return OutboxState(row.state)


def _give_up[Row: Owed](row: Row, failure: Exception | None, given_up: GivenUp[Row]) -> None:
    logger.error("%s was given up after %s tries: %s", _named(row), row.tries, row.error)
    given_up(row, failure)


def _named(row: Owed) -> str:
    return f"{row._meta.verbose_name} {row.id}"


def state_is_known(table: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(state__in=OutboxState.values), name=f"{table}_state_is_known")
