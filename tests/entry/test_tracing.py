"""Traces, as a collector receives them over OTLP."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from httpx2 import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from installation import running
from targets.servers import http_server

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP, and remembers the spans by the part that sent them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[tuple[str, Span]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def named(self, name: str) -> list[Span]:
        return [span for _part, span in self.spans if span.name == name]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            (part,) = [
                attribute.value.string_value
                for attribute in resource.resource.attributes
                if attribute.key == "service.name"
            ]
            for scope in resource.scope_spans:
                self.server.spans += [(part, span) for span in scope.spans]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as made:
        serving = threading.Thread(target=made.serve_forever)
        serving.start()
        yield made
        made.shutdown()
        serving.join()


async def test_a_message_is_followed_from_its_request_to_its_target(
    tmp_path: Path, collector: Collector
) -> None:
    settings = {"TRACING_ENDPOINT": collector.url, "TRACING_SHARE": "1"}
    async with http_server() as receiver:
        with running(tmp_path / "data", settings) as platform:
            application_id = platform.application(platform.organization("Aarhus"), "Water")
            platform.target(application_id, receiver.url)
            key = platform.device(application_id, "Meter 1")
            headers = {"Authorization": f"Bearer {key.secret}", "traceparent": PARENT}
            with Client(base_url=platform.url, headers=headers, timeout=20) as device:
                assert device.post("/ingest/v1/up", json={"level": 4.2}).status_code == 202

            def told() -> bool:
                names = {span.name for _part, span in collector.spans}
                return bool(receiver.requests) and {
                    "messages.accept", "ledger.append", "messages.process", "messages.deliver",
                    "database.transaction", "GET /api/v1/auth/me",
                } <= names  # fmt: skip

            await asyncio.to_thread(platform.until, told, "the spans do not come", 60)

    (accepted,) = collector.named("messages.accept")
    assert accepted.trace_id.hex() == TRACE
    (processed,) = [span for span in collector.named("messages.process") if span.links]
    assert processed.links[0].trace_id.hex() == TRACE
    assert processed.links[0].span_id == accepted.span_id
    delivered = receiver.requests[0].headers["traceparent"].split("-")
    assert delivered[1] in {s.trace_id.hex() for s in collector.named("messages.deliver")}
    parts = {part for part, _span in collector.spans}
    assert {"moorage-api", "moorage-work"} <= parts
