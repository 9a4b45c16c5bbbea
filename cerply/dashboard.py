"""The admin's front page."""

from typing import Any

from django.http import HttpRequest

from audit import kpis


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's ``DASHBOARD_CALLBACK``: the KPIs."""
    return {**context, "kpis": kpis.totals()}
