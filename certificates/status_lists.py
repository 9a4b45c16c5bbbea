"""Bitstring Status Lists (W3C, Bitstring Status List v1.0): who takes which slot, and what they say now.

A credential has one entry, for Open Badges 3.0 allows no more. Its bit is set while it does not hold: revoked for good,
or suspended for the time being.
"""

import gzip
import secrets
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from cerply import clock
from cerply.clock import rfc3339
from cerply.permissions import Actor
from certificates import keys, signing
from certificates.jsonld import CREDENTIALS_V2
from certificates.models import SLOTS, Credential, Issuer, StatusList, StatusSlot

# How long a verifier may believe a copy; it is signed again when half of that has passed.
VALIDITY = timedelta(hours=24)
# So many times others are tried for the places that are taken, before a list counts as full.
ROUNDS = 8
ACTOR = Actor.system("status_lists")

TAKE = """
    INSERT INTO status_slots (status_list_id, index)
    SELECT %(list)s, index FROM unnest(%(indexes)s::int[]) AS index ORDER BY index
    ON CONFLICT DO NOTHING RETURNING index
"""
# The specification counts bits from the most significant one of a byte, PostgreSQL from the least.
SET_BIT = """
    UPDATE status_lists SET bits = set_bit(bits, (%(index)s / 8) * 8 + 7 - %(index)s %% 8, %(bit)s), document = ''
     WHERE id = %(list)s
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
        tried = {secrets.randbelow(SLOTS) for _ in range(missing)}
        with connection.cursor() as cursor:
            cursor.execute(TAKE, {"list": status_list.id, "indexes": list(tried)})
            taken += [index for (index,) in cursor.fetchall()]
    return [StatusSlot(status_list=status_list, index=index) for index in taken]


def _create(issuer: Issuer, number: int) -> StatusList:
    status_list, _ = StatusList.objects.get_or_create(
        issuer=issuer, number=number, defaults={"bits": bytes(SLOTS // 8)}
    )
    return status_list


def mark(credential: Credential, *, holds: bool) -> None:
    """Sets or clears the credential's bit, in the caller's transaction: the next who fetches the list sees it."""
    with connection.cursor() as cursor:
        cursor.execute(
            SET_BIT, {"list": credential.status_list_id, "index": credential.status_index, "bit": int(not holds)}
        )


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
        "validFrom": rfc3339(valid_from),
        "validUntil": rfc3339(valid_until),
        "credentialSubject": {
            "id": f"{status_list.url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": f"u{encoded}",
        },
    }
