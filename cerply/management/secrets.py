"""All secrets that the database holds, encrypted with `KEY_ENCRYPTION_KEYS`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import batched, chain

from django.db import transaction

from audit import keys as audit_keys
from audit.models import EventType
from audit.recording import Event, record
from cerply.accounts import second_factor
from cerply.encryption import KeyUnavailable, Secret
from cerply.permissions import Actor
from certificates import keys as signing_keys
from notifications.webhooks import signing as webhook_secrets

# Rows that are locked together, and waited for by who signs with them.
BATCH = 50


@dataclass(slots=True)
class Encrypted:
    """How many were encrypted anew, how many were so already, and which none of the keys opens."""

    anew: int = 0
    already: int = 0
    unopened: list[str] = field(default_factory=list)


def every_secret() -> Iterator[Secret]:
    return chain(
        signing_keys.secrets(), audit_keys.secrets(), webhook_secrets.sealed_secrets(), second_factor.sealed_keys()
    )


def encrypt_anew(*, actor: Actor, dry_run: bool = False) -> Encrypted:
    """Each with the first of the keys, so that the others can go. What is done of them when it is ended stays done.

    One that changes meanwhile is left to who changes it, who uses the first of the keys anyway.
    """
    done = Encrypted()
    for some in batched(every_secret(), BATCH):
        with transaction.atomic():
            anew = _encrypt_anew(some, done, dry_run=dry_run)
            if anew and not dry_run:
                event = Event(EventType.SECRETS_ENCRYPTED_ANEW, None, "installation", metadata={"secrets": anew})
                record(event, actor=actor)
        done.anew += anew
    return done


def _encrypt_anew(some: Iterable[Secret], done: Encrypted, *, dry_run: bool) -> int:
    anew = 0
    for secret in some:
        if secret.is_current:
            done.already += 1
            continue
        try:
            anew += 1 if dry_run else secret.encrypt_anew()
        except KeyUnavailable:
            done.unopened.append(secret.named)
    return anew
