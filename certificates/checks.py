"""What keeps the service from starting: see `refuse_another_host`. And what says so before it is tried."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connections

from cerply.env import refuse
from certificates import issuers
from ops.health import Unready


@register(Tags.database)
def check_issuer_host(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """For ``manage.py check --database default``, which must pass before a release starts."""
    problem = _problem() if databases else None
    return [Error(problem, id="certificates.E001")] if problem else []


def refuse_another_host() -> None:
    """Stops the start of a process that would sign as, or answer for, issuers that it is not."""
    problem = _problem()
    # Processes that are forked from this one must not share its connection.
    connections.close_all()
    if problem:
        refuse(problem)


def check_readiness() -> None:
    """For a process that started before the first certificate was issued, under another host."""
    if problem := issuers.host_problem():
        raise Unready(problem)


def _problem() -> str | None:
    """None also without a database, or before it is migrated: that it is not ready then is told elsewhere."""
    try:
        return issuers.host_problem()
    except DatabaseError:
        return None
