"""Traces: where an endpoint is configured each request and its statements are a span there, elsewhere nothing is."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.factories import make_cast, make_token
from tests.management.watching import eventually
from tests.ops.serving import server
from tests.processes import run_python

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Collector(BaseHTTPRequestHandler):
    spans: list[Span]

    def do_POST(self) -> None:
        sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in sent.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: it is a test."""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Span]]]:
    """Its address, and what it was sent."""
    Collector.spans = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as listening:
        thread = Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}", Collector.spans
        listening.shutdown()
        thread.join()


def attributes(span: Span) -> dict[str, str]:
    return {each.key: each.value.string_value or str(each.value.int_value) for each in span.attributes}


def test_a_request_and_its_statements_are_spans_of_the_caller_s_trace(
    tmp_path: Path, collector: tuple[str, list[Span]]
) -> None:
    address, spans = collector
    cast = make_cast()
    token = make_token(cast.learner)
    with server(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_BSP_SCHEDULE_DELAY="100") as serving:
        path = f"/api/learners/{cast.learner.id}/level/{cast.track.id}"
        headers = {"Authorization": f"Bearer {token}", "Traceparent": f"00-{TRACE}-{PARENT}-01"}
        assert serving.get(path, **headers)[0] == 200
        name = "GET /api/learners/{learner_id}/level/{track_id}"
        eventually(lambda: any(span.name == name for span in spans))
    [asked] = [span for span in spans if span.name == name]
    assert (asked.trace_id.hex(), asked.parent_span_id.hex()) == (TRACE, PARENT)
    said = attributes(asked)
    assert said["http.response.status_code"] == "200"
    assert said["organization.id"] == str(cast.organization.id)
    statements = [span for span in spans if span.parent_span_id == asked.span_id]
    assert "SELECT" in {span.name for span in statements}
    text = "\n".join(attributes(span)["db.query.text"] for span in statements)
    assert "%s" in text
    assert str(cast.learner.id) not in text
    assert token not in text


def test_without_an_endpoint_nothing_of_it_is_even_imported() -> None:
    code = (
        "import sys\nfrom django.test import Client\n"
        "assert Client().get('/api/version').status_code == 200\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr
