"""An OTLP/HTTP endpoint inside the test: keeps each span that it is sent, with the service that sent it."""

from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    service: str
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]  # the ids of the spans
    attributes: dict[str, Any]
    failed: bool


class OtlpCollector:
    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.received: list[bytes] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._keep))
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a service that sends its spans here, quickly."""
        url = f"http://127.0.0.1:{self._server.server_port}"
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    def of_submission(self, id_: str) -> list[Span]:
        return [span for span in self.spans if span.attributes.get("topicflow.submission") == id_]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _keep(self, body: bytes) -> None:
        self.received.append(body)
        for of_service in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _values(of_service.resource)["service.name"]
            self.spans += [_span(service, span) for scope in of_service.scope_spans for span in scope.spans]


def _span(service: str, span: Any) -> Span:
    return Span(
        service=service,
        name=span.name,
        kind=span.kind,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=tuple(link.span_id.hex() for link in span.links),
        attributes=_values(span),
        failed=span.status.code == 2,
    )


def _values(of: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in of.attributes}


def _handler(keep: Callable[[bytes], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            keep(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    return Handler
