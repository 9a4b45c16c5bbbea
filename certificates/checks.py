"""What keeps the service from starting: see `refuse_another_host`. And what says so before it is tried, or must be."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connections

from cerply import clock
from cerply.env import refuse
from certificates import issuers
from ops.health import Unready

RENEW_BEFORE = timedelta(days=30)


@register(Tags.database)
def check_issuer_host(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """For ``manage.py check --database default``, which must pass before a release starts."""
    problem = _problem() if databases else None
    return [Error(problem, id="certificates.E001")] if problem else []


@register()
def check_seal(**kwargs: Any) -> list[CheckMessage]:
    """Said by every command, and so with every release; a certificate that has lapsed stops the start."""
    if settings.PDF_SEAL is None or settings.PDF_SEAL.ends_at > clock.now() + RENEW_BEFORE:
        return []
    day = settings.PDF_SEAL.ends_at.date().isoformat()
    return [Warning(f"PDF_SEAL_CERTIFICATE holds until {day} alone: renew it.", id="certificates.W001")]


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
