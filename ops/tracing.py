"""OpenTelemetry, where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says where to; elsewhere nothing of it is even imported.

The SDK reads its own variables (``OTEL_SERVICE_NAME``, ``OTEL_TRACES_SAMPLER``, …). A span for each request and job,
and in it one for each statement: with routes and ids as in the log, and without parameters.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from cerply.requests import Doing, current

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

type MaybeSpan = "Span | None"

_nothing: AbstractContextManager[Any] = nullcontext()


@cache
def _tracer() -> "Tracer":
    """Begun with the first span of each process, for its threads do not survive a fork."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": settings.TRACING_NAME, "service.version": settings.VERSION})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("cerply", settings.VERSION)


def request_span(request: HttpRequest) -> AbstractContextManager[Any]:
    return _request_span(request) if settings.TRACING else _nothing


@contextmanager
def _request_span(request: HttpRequest) -> Iterator["Span"]:
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = TraceContextTextMapPropagator().extract(request.headers)
    method = request.method or ""
    with _tracer().start_as_current_span(method, context=parent, kind=SpanKind.SERVER) as span:
        yield span


def end_request(span: MaybeSpan, request: HttpRequest, response: HttpResponse, doing: Doing) -> None:
    if span is None:
        return
    from opentelemetry.trace import StatusCode

    span.update_name(f"{request.method} {doing.route}")
    span.set_attributes(
        {
            "http.request.method": request.method or "",
            "http.route": doing.route,
            "http.response.status_code": response.status_code,
            **_ids(doing),
        }
    )
    if response.status_code >= 500:
        span.set_status(StatusCode.ERROR)


def job_span(job: str) -> AbstractContextManager[Any]:
    if not settings.TRACING:
        return _nothing
    return _tracer().start_as_current_span(f"job {job}", attributes=_ids(current()))


def query_span(sql: str) -> AbstractContextManager[Any]:
    if not settings.TRACING:
        return _nothing
    from opentelemetry.trace import SpanKind

    operation = str(sql).split(maxsplit=1)[0].upper()
    attributes = {"db.system.name": "postgresql", "db.operation.name": operation, "db.query.text": str(sql)}
    return _tracer().start_as_current_span(operation, kind=SpanKind.CLIENT, attributes=attributes)


def _ids(doing: Doing) -> dict[str, str]:
    ids = {"request.id": doing.request_id, "user.id": doing.user_id, "organization.id": doing.organization_id}
    return {name: str(value) for name, value in ids.items() if value}
