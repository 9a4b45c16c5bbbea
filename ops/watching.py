"""What each request costs: counted for the metrics, told in the log, traced where that is asked for.

It stands around every request, so it does little: the counters are numbers in memory that the web processes of a
machine share, and the database is watched by one function for each connection, which stays.
"""

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from time import perf_counter
from typing import Any

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch
from prometheus_client import CollectorRegistry, Counter, Histogram

from cerply import metrics
from cerply.requests import Doing, current
from ops import tallies, tracing

logger = logging.getLogger(__name__)
requests = logging.getLogger("requests")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SLOW_SECONDS = 0.5
LONGEST_SQL = 2000
ARGUMENT = re.compile(r"<(?:[^:<>]+:)?(\w+)>")
REGEX_ARGUMENT = re.compile(r"\(\?P<(\w+)>[^)]*\)\$?")

REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "cerply_http_requests", "Requests that were answered.", ["route", "method", "status"], registry=REGISTRY
)
DURATION = Histogram(
    "cerply_http_request_duration_seconds",
    "From the request to the beginning of its answer.",
    ["route", "method"],
    buckets=BUCKETS,
    registry=REGISTRY,
)
DATABASE_SECONDS = Counter(
    "cerply_database_seconds", "Waiting for the database's answers.", ["route"], registry=REGISTRY
)
QUERIES = Counter("cerply_database_queries", "Statements sent to the database.", ["route"], registry=REGISTRY)
SLOW_QUERIES = metrics.Tally("slow_queries", f"Statements that took over {SLOW_SECONDS} s.", "route")


class WatchMiddleware:
    """Directly inside `RequestIdMiddleware`; whatever is raised further in is an answer by then."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = perf_counter()
        doing = current()
        with tracing.request_span(request) as span:
            response = self.get_response(request)
            duration = perf_counter() - begun
            doing.route = route_of(request)
            tracing.end_request(span, request, response, doing)
        method = request.method if request.method in METHODS else "OTHER"
        answered, took, queries, database_seconds = _counters(doing.route, method, response.status_code)
        answered.inc()
        took.observe(duration)
        if doing.queries:
            queries.inc(doing.queries)
            database_seconds.inc(doing.database_seconds)
        if requests.isEnabledFor(logging.INFO):
            requests.info(line_of(request, response, doing, duration))
        if metrics.are_pending():  # no cost of this request's: it is whoever's who comes next
            tallies.flush()
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        current().route = route_of(request)


def route_of(request: HttpRequest) -> str:
    """The template of its path, of which there are no more than routes: ``/api/teams/{team_id}``."""
    match: ResolverMatch | None = getattr(request, "resolver_match", None)
    if match is not None:
        return _template(match.route)
    return "static" if request.path.startswith(settings.STATIC_URL) else "unmatched"


@cache
def _template(route: str) -> str:
    return "/" + ARGUMENT.sub(r"{\1}", REGEX_ARGUMENT.sub(r"{\1}", route.replace("^", "")))


@cache
def _counters(route: str, method: str, status: int) -> tuple[Counter, Histogram, Counter, Counter]:
    # From 0 on, so that its first failure is seen to have come.
    REQUESTS.labels(route, method, 500)
    return (
        REQUESTS.labels(route, method, status),
        DURATION.labels(route, method),
        QUERIES.labels(route),
        DATABASE_SECONDS.labels(route),
    )


def line_of(request: HttpRequest, response: HttpResponse, doing: Doing, duration: float) -> dict[str, Any]:
    user_id = doing.user_id
    if user_id is None and (user := getattr(request, "_cached_user", None)) is not None:
        user_id = user.pk  # of staff, or of somebody with a session on a page
    return {
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "level": "INFO",
        "logger": "requests",
        "event": "request",
        "request_id": doing.request_id,
        "method": request.method if request.method in METHODS else "OTHER",
        "route": doing.route,
        "status": response.status_code,
        "duration_ms": round(duration * 1000, 1),
        "queries": doing.queries,
        "database_ms": round(doing.database_seconds * 1000, 1),
        "user": str(user_id) if user_id else None,
        "organization": str(doing.organization_id) if doing.organization_id else None,
    }


def watch_connection(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Django's ``connection_created``, which is sent each time that a connection is opened anew."""
    if watch_query not in connection.execute_wrappers:
        connection.execute_wrappers.append(watch_query)


def watch_query(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    doing = current()
    begun = perf_counter()
    try:
        with tracing.query_span(sql):
            return execute(sql, params, many, context)
    finally:
        took = perf_counter() - begun
        doing.queries += 1
        doing.database_seconds += took
        if took > SLOW_SECONDS:
            _tell_slow(str(sql), took, doing)


def _tell_slow(sql: str, took: float, doing: Doing) -> None:
    """The statement with the places of its parameters, and never with them."""
    SLOW_QUERIES.count(doing.route or "none")
    shown = " ".join(sql.split())[:LONGEST_SQL]
    logger.warning("slow query: %.0f ms in %s: %s", took * 1000, doing.route or "none", shown)
