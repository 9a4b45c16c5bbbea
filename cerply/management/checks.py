"""What ``manage.py check --deploy`` warns of beside what Django does, and the demo's data where they must not be.

What would be a hole is not here: such a process does not start (see `cerply.env`). These are things that somebody has
left as they were. Each has an id by which the runbook names it.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError

from cerply.accounts.models import Organization
from cerply.management.demo_data.people import ORGANIZATIONS, demo_id


@register(Tags.security, deploy=True)
def check_what_was_left(**kwargs: Any) -> list[CheckMessage]:
    found = {
        "cerply.W001": (
            settings.ADMIN_TOKEN_IS_IGNORED,
            "ADMIN_TOKEN is set, and ignored here. Take it away: it may be in use where it counts.",
        ),
        "cerply.W002": (
            "*" in settings.ALLOWED_HOSTS,
            "ALLOWED_HOSTS takes every host. Name those under which people reach Cerply.",
        ),
        "cerply.W003": (
            bool(settings.SECRET_KEY_FALLBACKS),
            "SECRET_KEY_FALLBACKS is set. Once two weeks have gone by since the change, take it away.",
        ),
        "cerply.W004": (
            len(settings.KEY_ENCRYPTION_KEYS) > 1,
            "KEY_ENCRYPTION_KEYS has old keys. Run `manage.py encrypt_secrets_anew`, then take them away.",
        ),
        "cerply.W005": (
            not settings.PERSIST_AUDIT_EVENTS,
            "PERSIST_AUDIT_EVENTS is off: nobody will know who did what.",
        ),
        "cerply.W006": (
            bool(settings.DEBUG),
            "DEBUG is on: errors show what nobody outside should see.",
        ),
    }
    return [Warning(text, id=id_) for id_, (applies, text) in found.items() if applies]


@register(Tags.database)
def check_demo_data(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """For ``manage.py check --database default``: everybody knows the passwords and the tokens of the demo."""
    if not databases or settings.RELAXED or not _has_demo_data():
        return []
    return [Error("The database has the demo's data in it: its passwords and tokens are published.", id="cerply.E001")]


def _has_demo_data() -> bool:
    """Not, where there is no table yet."""
    try:
        return Organization.objects.filter(id__in=[demo_id(each.tail) for each in ORGANIZATIONS]).exists()
    except DatabaseError:
        return False
