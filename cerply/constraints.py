"""What a constraint of the database refuses, said as the mistake that it is."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from cerply.errors import Invalid


@contextmanager
def translated(problems: Mapping[str, tuple[str, str]]) -> Iterator[None]:
    """A savepoint: what a constraint of these names refuses is `Invalid`, with its field and the reason."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as exc:
        name = str(getattr(getattr(exc.__cause__, "diag", None), "constraint_name", None))
        if name not in problems:
            raise
        field, reason = problems[name]
        raise Invalid({field: [reason]}) from exc
