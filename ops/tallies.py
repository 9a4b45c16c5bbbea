"""Counts of what happens now and then, in any process; kept in the database."""

import logging
from collections.abc import Mapping

from django.db import DatabaseError, connection

from cerply import metrics
from ops.models import TallyRow

logger = logging.getLogger(__name__)

# In the order of their key, so that two writers wait for each other and never in a circle.
ADD = """
    INSERT INTO tallies AS tally (name, value, amount)
    SELECT name, value, amount FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS added (name, value, amount)
     ORDER BY name, value
    ON CONFLICT (name, value) DO UPDATE SET amount = tally.amount + excluded.amount
"""


def flush() -> None:
    """Writes what this process has counted. To be called outside of transactions; what cannot be written waits."""
    pending = metrics.take_pending()
    if not pending:
        return
    rows = [(name, value, amount) for (name, value), amount in pending.items()]
    try:
        with connection.cursor() as cursor:
            cursor.execute(ADD, [list(column) for column in zip(*rows, strict=True)])
    except DatabaseError as exc:
        metrics.put_back(pending)
        logger.warning("tallies wait until the database answers: %s", exc)


def counted() -> Mapping[tuple[str, str], int]:
    """By name and value."""
    rows = TallyRow.objects.values_list("name", "value", "amount")
    return {(name, value): amount for name, value, amount in rows}
