"""``GET /metrics``, for Prometheus: whatever process of the machine answers, it tells of all of them.

Whoever asks shows `METRICS_TOKEN` as a bearer token. Without one, only development and test tell anything.
"""

import hmac
import logging
import os
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views import View
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from cerply import metrics
from cerply.errors import Unauthorized, error_response
from ops import tallies, watching

logger = logging.getLogger(__name__)


class MetricsView(View):
    http_method_names = ["get", "head"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not self.may_read(request):
            return error_response(Unauthorized("Send the metrics' token as a bearer token."))
        return super().dispatch(request, *args, **kwargs)

    def may_read(self, request: HttpRequest) -> bool:
        if not settings.METRICS_TOKEN:
            return bool(settings.RELAXED)
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(exposition(), content_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"})


def exposition() -> bytes:
    """All of it, in Prometheus's text format."""
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(watching.REGISTRY)
    registry.register(Readings())
    return generate_latest(registry)


class Readings(Collector):
    """Tallies and gauges. One that cannot be read is left out, and keeps no other from being told."""

    def collect(self) -> Iterator[Metric]:
        unreadable = GaugeMetricFamily("cerply_unreadable", "1 for what could not be read just now.", labels=["metric"])
        database_is_there = True
        for name, read in {"tallies": self.tallies, **dict.fromkeys(metrics.GAUGES, self.gauge)}.items():
            found: list[Metric] = []
            try:
                if database_is_there:
                    found = list(read(name))
            except (OperationalError, InterfaceError) as exc:
                # Each of the others would wait for it as long.
                database_is_there = False
                logger.error("metrics that need the database cannot be read: %s", exc)
            except Exception:  # whatever it is, the others are told
                logger.exception("the metric %s cannot be read", name)
            yield from found
            unreadable.add_metric([name], 0 if found else 1)
        yield unreadable

    def gauge(self, name: str) -> Iterator[Metric]:
        gauge = metrics.GAUGES[name]
        family = GaugeMetricFamily(f"cerply_{name}", gauge.help, labels=gauge.labels)
        for labels, value in gauge.read():
            family.add_metric(labels, value)
        yield family

    def tallies(self, name: str) -> Iterator[Metric]:
        counted = tallies.counted()
        for tally in metrics.TALLIES.values():
            family = CounterMetricFamily(f"cerply_{tally.name}", tally.help, labels=[tally.label])
            values = {value for of, value in counted if of == tally.name} | set(tally.values)
            for value in sorted(values):
                family.add_metric([value], counted.get((tally.name, value), 0))
            yield family
