"""What `/metrics` tells of the evidence."""

from collections.abc import Iterable

from audit.rounds import state
from cerply import clock
from cerply.metrics import Reading, register

NEVER = float("inf")


def register_all() -> None:
    register("audit_verified_age_seconds", "Since the audit was last verified as a whole.", verified_age)
    register("audit_holds", "Whether the latest verification found nothing wrong: 1, or 0.", holds)


def verified_age() -> Iterable[Reading]:
    finished_at = state().finished_at
    return [((), (clock.now() - finished_at).total_seconds() if finished_at else NEVER)]


def holds() -> Iterable[Reading]:
    """Nothing, until there was one."""
    problems = state().problems
    return [] if problems is None else [((), float(problems == 0))]
