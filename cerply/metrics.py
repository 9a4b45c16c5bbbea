"""What is measured, named where it happens and given out by `ops.exposition`.

A `Tally` counts what happens now and then in any process, and is kept in the database: the web servers' ``/metrics``
tells also of what the job worker did. A gauge is read when somebody asks. What every request costs, each web process
counts for itself, in `ops.watching`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

type Reading = tuple[tuple[str, ...], float]
type Pending = Counter[tuple[str, str]]

_pending: Pending = Counter()
_lock = Lock()


@dataclass(frozen=True)
class Tally:
    """Named without ``cerply_`` and ``_total``. Values that are known beforehand are told from 0 on."""

    name: str
    help: str
    label: str
    values: Sequence[str] = ()

    def __post_init__(self) -> None:
        TALLIES[self.name] = self

    def count(self, value: str, amount: int = 1) -> None:
        """Not undone by a transaction that fails. Written at the end of the request, in the worker seconds later."""
        with _lock:
            _pending[self.name, value] += amount


@dataclass(frozen=True)
class Gauge:
    """A value for each combination of its labels, none of which names a person or an organization."""

    name: str
    help: str
    labels: Sequence[str]
    read: Callable[[], Iterable[Reading]]


TALLIES: dict[str, Tally] = {}
GAUGES: dict[str, Gauge] = {}


def register(name: str, help_: str, read: Callable[[], Iterable[Reading]], labels: Sequence[str] = ()) -> None:
    """To be called in ``AppConfig.ready``. Named without ``cerply_``, with its unit: ``audit_verified_age_seconds``."""
    GAUGES[name] = Gauge(name, help_, labels, read)


def are_pending() -> bool:
    return bool(_pending)


def take_pending() -> Pending:
    """What was counted here and is not written yet; the caller writes it, or puts it back."""
    with _lock:
        taken = Counter(_pending)
        _pending.clear()
    return taken


def put_back(pending: Pending) -> None:
    with _lock:
        _pending.update(pending)
