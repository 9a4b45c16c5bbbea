"""Bitstring Status Lists (W3C, Bitstring Status List v1.0): who takes which slot, and what they say now.

A credential has one entry, for Open Badges 3.0 allows no more. Its bit is set while it does not hold: revoked for good,
or suspended for the time being.
"""

import gzip
import secrets
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from cerply import clock
from cerply.clock import rfc3339_seconds
from cerply.permissions import Actor
from certificates import keys, signing
from certificates.jsonld import CREDENTIALS_V2
from certificates.models import SLOTS, Credential, Issuer, StatusList, StatusSlot

# How long a verifier may believe a copy; it is signed again when half of that has passed.
VALIDITY = timedelta(hours=24)
# So many places are tried for each that is needed, and so often, before a list counts as full.
CANDIDATES = 8
ROUNDS = 3
ACTOR = Actor.system("status_lists")

TAKE = """
    INSERT INTO status_slots (status_list_id, index)
    SELECT %(list)s, tried.index FROM unnest(%(indexes)s::int[]) AS tried (index)
     WHERE NOT EXISTS (
        SELECT FROM status_slots AS taken WHERE taken.status_list_id = %(list)s AND taken.index = tried.index
     )
     LIMIT %(number)s
    ON CONFLICT DO NOTHING RETURNING index
"""


@transaction.atomic
def take_slots(issuer: Issuer, number: int) -> list[StatusSlot]:
    """Free slots at random places of the issuer's newest list; when it is full, of the next."""
    status_list = StatusList.objects.filter(issuer=issuer).order_by("-number").first() or _create(issuer, 1)
    slots: list[StatusSlot] = []
    while True:
        status_list.issuer = issuer
        slots += _take(status_list, number - len(slots))
        if len(slots) == number:
            return slots
        status_list = _create(issuer, status_list.number + 1)


def _take(status_list: StatusList, number: int) -> list[StatusSlot]:
    """Up to so many: fewer where the list is nearly full."""
    taken: list[int] = []
    for _ in range(ROUNDS):
        missing = number - len(taken)
        if not missing:
            break
        tried = secrets.SystemRandom().sample(range(SLOTS), min(missing * CANDIDATES, SLOTS))
        with connection.cursor() as cursor:
            cursor.execute(TAKE, {"list": status_list.id, "indexes": tried, "number": missing})
            taken += [index for (index,) in cursor.fetchall()]
    return [StatusSlot(status_list=status_list, index=index) for index in taken]


def _create(issuer: Issuer, number: int) -> StatusList:
    status_list, _ = StatusList.objects.get_or_create(
        issuer=issuer, number=number, defaults={"bits": bytes(SLOTS // 8)}
    )
    return status_list


def mark(credential: Credential, *, holds: bool) -> None:
    """Sets or clears the credential's bit, in the caller's transaction: the next who fetches the list sees it."""
    mark_all([credential], holds=holds)


def mark_all(credentials: Iterable[Credential], *, holds: bool) -> None:
    """The same for many; each list that they are in is written once, and so signed once."""
    indexes: dict[UUID, list[int]] = defaultdict(list)
    for credential in credentials:
        indexes[credential.status_list_id].append(credential.status_index)
    # In one order for everybody, so that two who mark wait for each other and do not deadlock.
    lists = StatusList.objects.filter(id__in=indexes).order_by("id").select_for_update(no_key=True)
    for status_list in lists:
        bits = bytearray(status_list.bits)
        for index in indexes[status_list.id]:
            place = 0x80 >> index % 8
            bits[index // 8] = bits[index // 8] & ~place if holds else bits[index // 8] | place
        status_list.bits, status_list.document = bytes(bits), ""
        status_list.save(update_fields=["bits", "document"])


def holds(credential: Credential) -> bool:
    """Whether its bit is clear."""
    bits = bytes(StatusList.objects.values_list("bits", flat=True).get(id=credential.status_list_id))
    byte, place = divmod(credential.status_index, 8)
    return not bits[byte] >> 7 - place & 1


def current(status_list: StatusList) -> StatusList:
    """The list, signed as it is now: anew if something has changed, or if half of its validity has passed."""
    if _is_fresh(status_list):
        return status_list
    with transaction.atomic():
        signer = keys.signer_of(status_list.issuer.organization_id, actor=ACTOR)
        status_list = StatusList.objects.select_related("issuer").select_for_update(of=("self",)).get(id=status_list.id)
        if not _is_fresh(status_list):
            now = clock.now()
            unsigned = _unsigned(status_list, now, now + VALIDITY)
            status_list.document = signing.sign(unsigned, status_list.issuer, signer, now).text
            status_list.jwt = signing.jwt(unsigned, status_list.issuer, signer)
            status_list.valid_until = now + VALIDITY
            status_list.save(update_fields=["document", "jwt", "valid_until"])
    return status_list


def sign_lapsing() -> str:
    """The job: signs the lists that have changed, and those of which half the validity has passed."""
    due = StatusList.objects.select_related("issuer").filter(
        Q(document="") | Q(valid_until__lt=clock.now() + VALIDITY / 2)
    )
    signed = 0
    for status_list in due:
        current(status_list)
        signed += 1
    return f"Signed {signed} status lists."


def _is_fresh(status_list: StatusList) -> bool:
    lapses = status_list.valid_until
    return bool(status_list.document and lapses and lapses - clock.now() > VALIDITY / 2)


def _unsigned(status_list: StatusList, valid_from: datetime, valid_until: datetime) -> dict[str, Any]:
    """A BitstringStatusListCredential: the bits, compressed with gzip, in multibase (base64url, no padding)."""
    encoded = urlsafe_b64encode(gzip.compress(bytes(status_list.bits), mtime=0)).rstrip(b"=").decode()
    return {
        "@context": [CREDENTIALS_V2],
        "id": status_list.url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": status_list.issuer.did,
        "validFrom": rfc3339_seconds(valid_from),
        "validUntil": rfc3339_seconds(valid_until),
        "credentialSubject": {
            "id": f"{status_list.url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": f"u{encoded}",
        },
    }
