"""The same write twice has one effect: keys, and the answers kept under them."""

import hashlib
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.datastructures import CaseInsensitiveMapping
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from cerply import clock
from cerply.errors import BadRequest, Conflict
from cerply.forgetting import Forgotten
from cerply.parsers import Body
from cerply.permissions import Actor, Caller
from ops.models import IdempotencyKey

HEADERS = ("X-Idempotency-Key", "Idempotency-Key")
PRINTABLE = re.compile(r"[\x20-\x7e]{1,255}", re.ASCII)
STEP = 1000


def key_of(request: Request) -> str | None:
    """The key that was sent under either name; 400 for one that is malformed, or two that differ."""
    given = {request.headers[name] for name in HEADERS if name in request.headers}
    if not given:
        return None
    if len(given) > 1:
        raise BadRequest(f"{HEADERS[0]} and {HEADERS[1]} have different values. Send one of them.")
    key = given.pop()
    if not PRINTABLE.fullmatch(key):
        raise BadRequest(f"{HEADERS[0]} must be 1 to 255 printable ASCII characters.")
    return key


@dataclass(frozen=True, slots=True)
class Scope:
    """Within this, a key means one request."""

    caller: str
    method: str
    path: str
    key: str

    @classmethod
    def of(cls, caller: Caller, request: Request, key: str) -> "Scope":
        return cls(caller.key, request.method or "", request.path, key)

    def rows(self) -> "QuerySet[IdempotencyKey]":
        return IdempotencyKey.objects.filter(caller=self.caller, method=self.method, path=self.path, key=self.key)

    def hold(self) -> None:
        """Until the transaction ends nobody else gets past here; a twin gets her 409 at once."""
        digest = hashlib.sha256("\0".join((self.caller, self.method, self.path, self.key)).encode()).digest()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], signed=True)])
            held = cursor.fetchone()[0]
        if not held:
            raise Conflict("The first request with this key is still running.", headers={"Retry-After": "1"})


def fingerprint(body: Body, query: str) -> str:
    """Tells requests apart by what they ask for, not by how it is written: spaces and the order of keys are nothing."""
    content = body.raw
    if body.value is not None and not body.problem:
        content = json.dumps(body.value, sort_keys=True, separators=(",", ":"), default=_number).encode()
    return hashlib.sha256(query.encode() + b"\0" + content).hexdigest()


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {"number": str(value)}
    raise TypeError(f"{type(value).__name__} is not JSON.")


def stored_answer(scope: Scope, print_: str) -> HttpResponse | None:
    """The first answer under this key, if the request is the same one; the caller holds the scope."""
    row = scope.rows().first()
    if row is None:
        return None
    if not row.is_valid_at(clock.now()):
        row.delete()
        return None
    if row.fingerprint != print_:
        raise Conflict("This idempotency key was used for another request.")
    answer = _answer(row.status, bytes(row.body), row.headers)
    answer["X-Idempotency-Replay"] = "true"
    return answer


def rendered(response: HttpResponseBase) -> HttpResponse:
    """The answer in its final bytes, the same that a replay has."""
    headers = dict(CaseInsensitiveMapping(dict(response.items())))
    if isinstance(response, Response):
        content = b"" if response.data is None else JSONRenderer().render(response.data)
        headers["Content-Type"] = "application/json"
        return _answer(response.status_code, content, headers)
    if not isinstance(response, HttpResponse):
        raise TypeError("An answer that is streamed cannot be kept under an idempotency key.")
    return _answer(response.status_code, response.content, headers)


def keep(scope: Scope, print_: str, answer: HttpResponse) -> None:
    IdempotencyKey.objects.create(
        caller=scope.caller,
        method=scope.method,
        path=scope.path,
        key=scope.key,
        fingerprint=print_,
        status=answer.status_code,
        headers=dict(answer.items()),
        body=answer.content,
        created_at=clock.now(),
    )


def _answer(status: int, content: bytes, headers: dict[str, str]) -> HttpResponse:
    answer = HttpResponse(content, status=status, headers=headers)
    if not content:
        del answer["Content-Type"]
    return answer


def clean_up(*, dry_run: bool = False) -> str:
    """Deletes the keys that no longer count, a thousand at a time."""
    expired = IdempotencyKey.objects.expired(clock.now())
    if dry_run:
        return f"Would delete {expired.count()} expired idempotency keys."
    deleted = 0
    while True:
        with transaction.atomic():
            chosen = list(expired.select_for_update(skip_locked=True).values_list("id", flat=True)[:STEP])
            deleted += IdempotencyKey.objects.filter(id__in=chosen).delete()[0]
        if len(chosen) < STEP:
            return f"Deleted {deleted} expired idempotency keys."


@transaction.atomic
def forget_names(person: Forgotten, *, actor: Actor) -> int:
    """Takes her names out of the kept answers that speak of her; who erases them audits it.

    The keys stay, so that nothing is done twice; a replay is without the name.
    """
    changed = 0
    kept = IdempotencyKey.objects.filter(created_at__lte=person.until).naming(person.ids)
    for row in kept.order_by("id").select_for_update(no_key=True):
        body = person.out_of_json(json.loads(bytes(row.body)))
        content = JSONRenderer().render(body)
        if content != bytes(row.body):
            row.body = content
            row.save(update_fields=["body"])
            changed += 1
    return changed
