"""The request body: read whole, within its limit, and parsed strictly."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, NoReturn

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from django.utils.http import parse_header_parameters

from cerply.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType

MIB = 1024 * 1024
BODY_LIMIT = 5 * MIB
# What a client may go on sending after the limit, so that she sees the answer instead of a broken connection.
DRAIN_LIMIT = 100 * MIB
CHUNK = 64 * 1024
# Far below what Python's recursion bears, so that whatever is done with a value can be done.
DEEPEST = 50
TOO_DEEP = f"The body is nested deeper than {DEEPEST} levels."


class Malformed(ValueError):
    """JSON that a strict reader refuses."""


@dataclass(frozen=True)
class Body:
    """What was sent, kept as it came: parsing is work that is done for callers alone, when it is first asked for."""

    raw: bytes = b""
    content_type: str = ""
    limit: int = BODY_LIMIT
    content_encoding: str = ""
    too_large: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.raw and not self.too_large

    @property
    def media_type(self) -> str:
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def value(self) -> Any:
        """The JSON value; None where there is none, and then ``problem`` may say why."""
        return self._outcome[0]

    @property
    def problem(self) -> str | None:
        return self._outcome[1]

    def refuse_unless_acceptable(self, also: Collection[str] = ()) -> None:
        """413, then 415; ``also`` are media types that the route takes beside JSON."""
        if self.too_large:
            raise PayloadTooLarge(f"The body is larger than {self.limit // MIB} MiB.")
        if self.raw and self.content_encoding.lower() not in {"", "identity"}:
            raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")
        if self.raw and not _is_json(self.content_type) and self.media_type not in also:
            kinds = ", ".join(["application/json in UTF-8", *also])
            raise UnsupportedMediaType(f"Send the body as {kinds}." if also else None)

    def parsed(self) -> Any:
        """The JSON value; 400 when it is malformed."""
        if self.problem:
            raise BadRequest(self.problem)
        return self.value

    @cached_property
    def _outcome(self) -> tuple[Any, str | None]:
        if not self.raw or not _is_json(self.content_type):
            return None, None
        try:
            return parse_json(self.raw), None
        except Malformed as exc:
            return None, str(exc)


def read_body(request: HttpRequest, limit: int = BODY_LIMIT) -> Body:
    """Reads all that was sent, and keeps at most ``limit`` bytes of it."""
    stream = request.META.get("wsgi.input") if _is_chunked(request) else request
    content_type = request.headers.get("Content-Type", "")
    kept = bytearray()
    size = 0
    while stream is not None and size < DRAIN_LIMIT:
        chunk = stream.read(CHUNK)
        if not chunk:
            break
        size += len(chunk)
        if size <= limit:
            kept += chunk
    if size > limit:
        return Body(content_type=content_type, limit=limit, too_large=True)
    return Body(bytes(kept), content_type, limit, request.headers.get("Content-Encoding", "").strip())


def parse_json(raw: bytes) -> Any:
    """JSON as RFC 8259 has it: UTF-8, no NaN or Infinity, no key twice, no half of a surrogate pair, not too deep.

    Numbers with a fraction or an exponent become ``Decimal``, so that 0.1 is a tenth.
    """
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeated_keys
        )
        _refuse_too_deep(value)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeError:
        raise Malformed("The body is not valid UTF-8 text, or holds half of a surrogate pair.") from None
    except RecursionError:
        raise Malformed(TOO_DEEP) from None
    except json.JSONDecodeError as exc:
        raise Malformed(f"The body is not valid JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}.") from None
    except Malformed:
        raise
    except (ValueError, ArithmeticError):
        raise Malformed("The body holds a number with too many digits.") from None
    return value


def _is_chunked(request: HttpRequest) -> bool:
    return (
        isinstance(request, WSGIRequest)
        and not request.META.get("CONTENT_LENGTH")
        and "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    )


def _is_json(content_type: str) -> bool:
    media_type, parameters = parse_header_parameters(content_type)
    return media_type == "application/json" and parameters.get("charset", "utf-8").lower() == "utf-8"


def _refuse_too_deep(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        inner = [value for outer in level for value in (outer.values() if isinstance(outer, dict) else outer)]
        level = [value for value in inner if isinstance(value, dict | list)]
    if level:
        raise Malformed(TOO_DEEP)


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"The body is not valid JSON: {name} is not a number.")


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed("The body is ambiguous: a key appears twice in one object.")
    return value
