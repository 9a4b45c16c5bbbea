"""Serializers and fields that take a value for what it is: no "true" for true, no 1 for "1", no unknown name."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from rest_framework import serializers

from cerply.clock import rfc3339
from cerply.identifiers import parse_uuid
from cerply.text import REFUSED, is_printable, is_visible

RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d+)?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
LARGEST_INTEGER = 2**31 - 1


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses the fields it does not know, by name."""

    default_error_messages = {
        "unknown": "There is no such field.",
        "invalid": "Expected an object.",
    }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            self.fail("invalid")
        known = {name for name, field in self.fields.items() if not field.read_only}
        if unknown := data.keys() - known:
            message = self.error_messages["unknown"]
            raise serializers.ValidationError({name: [message] for name in sorted(unknown)[:20]})
        return super().to_internal_value(data)


class TextField(serializers.CharField):
    """A string of 1 to ``max_length`` printable characters (line breaks where ``multiline``), without outer space."""

    default_error_messages = {"unprintable": REFUSED}

    def __init__(self, *, multiline: bool = False, max_length: int = 255, **kwargs: Any) -> None:
        self.multiline = multiline
        super().__init__(max_length=max_length, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text = super().to_internal_value(data)
        if not is_printable(text, multiline=self.multiline):
            self.fail("unprintable")
        return text


class ExternalIdField(TextField):
    """Another system's key: nothing in it that cannot be seen."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not is_visible(text):
            self.fail("unprintable")
        return text


class StrictChoiceField(serializers.ChoiceField):
    """One of the strings that are named."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=type(data).__name__)
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    """``true`` or ``false``, nothing like them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=type(data).__name__)
        return data


class StrictIntegerField(serializers.IntegerField):
    """A JSON number without a fraction; by default up to 2,147,483,647."""

    def __init__(self, *, max_value: int = LARGEST_INTEGER, **kwargs: Any) -> None:
        super().__init__(max_value=max_value, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, Decimal) and data.is_finite() and abs(data.adjusted()) < 20 and data == int(data):
            return int(data)
        if type(data) is not int:
            self.fail("invalid")
        return data


class StrictDecimalField(serializers.DecimalField):
    """A JSON number, exact."""

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | Decimal):
            self.fail("invalid")
        number = Decimal(data)
        if number.is_zero():
            return Decimal(0)
        if abs(number.adjusted()) > 40:
            self.fail("max_digits", max_digits=self.max_digits)
        return super().to_internal_value(number.normalize())


class StrictUUIDField(serializers.UUIDField):
    """The 36 character form, any version, any case."""

    def to_internal_value(self, data: Any) -> UUID:
        value = parse_uuid(data) if isinstance(data, str) else None
        if value is None:
            self.fail("invalid", value="This")
        return value


class MomentField(serializers.DateTimeField):
    """RFC 3339 with an offset in; UTC with six decimals and ``Z`` out."""

    default_error_messages = {"invalid": "Give a moment as RFC 3339, with its offset: 2026-01-31T09:05:00Z."}

    def to_internal_value(self, value: Any) -> datetime:
        parts = RFC3339.fullmatch(value) if isinstance(value, str) else None
        if parts is None:
            self.fail("invalid", format="RFC 3339")
        date, time, fraction, offset = parts.groups()
        text = f"{date}T{time}{(fraction or '')[:7]}{'+00:00' if offset in 'Zz' else offset}"
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid", format="RFC 3339")

    def to_representation(self, value: datetime) -> str:
        return rfc3339(value)
