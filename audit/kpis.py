"""The counters: exact, without a row that everybody writes."""

from uuid import UUID

from django.db import connection

from audit.models import Kpi

FOLD_STEP = 5000
MOST_STEPS = 1000

# Both tables in one statement, so in one snapshot: a fold in between is seen whole or not at all.
TOTALS = """
    SELECT kpi, sum(amount)::bigint
      FROM (SELECT kpi, amount, organization_id FROM kpi_totals
             UNION ALL
            SELECT kpi, amount, organization_id FROM kpi_deltas) AS counted
     WHERE %(organization_id)s::uuid IS NULL OR organization_id = %(organization_id)s
     GROUP BY kpi
"""

# Totals are locked in the order of their key, so that two folders wait for each other and never in a circle.
FOLD = """
    WITH chosen AS (
        SELECT id FROM kpi_deltas ORDER BY id LIMIT %(step)s FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM kpi_deltas USING chosen WHERE kpi_deltas.id = chosen.id
        RETURNING kpi_deltas.organization_id, kpi_deltas.kpi, kpi_deltas.amount
    ), summed AS (
        SELECT organization_id, kpi, sum(amount) AS amount FROM gone GROUP BY organization_id, kpi
    ), folded AS (
        INSERT INTO kpi_totals AS totals (organization_id, kpi, amount)
        SELECT organization_id, kpi, amount FROM summed ORDER BY organization_id, kpi
        ON CONFLICT (organization_id, kpi) DO UPDATE SET amount = totals.amount + excluded.amount
    )
    SELECT count(*) FROM gone
"""


def totals(organization_id: UUID | None = None) -> dict[str, int]:
    """Each KPI of an organization, or of the platform; from what is committed, and what this transaction added."""
    with connection.cursor() as cursor:
        cursor.execute(TOTALS, {"organization_id": organization_id})
        found = dict(cursor.fetchall())
    return {kpi.value: found.get(kpi.value, 0) for kpi in Kpi}


def fold() -> str:
    """Sums deltas up into totals, step by step; safe beside readers, writers and other folders."""
    folded = 0
    for _ in range(MOST_STEPS):
        with connection.cursor() as cursor:
            cursor.execute(FOLD, {"step": FOLD_STEP})
            count = cursor.fetchone()[0]
        folded += count
        if count < FOLD_STEP:
            break
    return f"Folded {folded} KPI deltas."
