"""Traces (OpenTelemetry): spans across HTTP, the log and the database.

Switched off unless the operator names a collector; then a span costs nothing but a test.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Link
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from moorage.kit.errors import Kind, MoorageError

HEADER = "traceparent"
# A batch is linked to the traces of at most so many of its messages.
MOST_LINKS = 32

_tracer = trace.get_tracer("moorage")
_context = TraceContextTextMapPropagator()
_on = False


class TracingNotInstalled(MoorageError):
    """A collector is named, but what exports to it is not installed."""

    kind = Kind.INVALID
    code = "tracing.not_installed"
    message = "MOORAGE_TRACING_ENDPOINT needs the tracing extra: pip install 'moorage[tracing]'"


def configure(endpoint: str, share: float, *, part: str) -> None:
    """Send the spans of this process to a collector from now on.

    Args:
        endpoint: base URL of OTLP over HTTP, such as `http://127.0.0.1:4318`.
        share: of the traces that begin here, 0 to 1; one that comes from elsewhere decided there.
        part: which process speaks.

    Raises:
        TracingNotInstalled: the exporter is not there.
    """
    global _on  # noqa: PLW0603  (One process, one exporter.)
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
    except ImportError as missing:
        raise TracingNotInstalled from missing
    resource = Resource.create({"service.name": f"moorage-{part}", "service.namespace": "moorage"})
    provider = TracerProvider(ParentBasedTraceIdRatio(share), resource)
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    _on = True


def span(
    name: str,
    *,
    parent: str = "",
    links: Iterable[str] = (),
    **attributes: str | int | float | bool,
) -> AbstractContextManager[Any]:
    """Measure a block.

    Args:
        name: the kind of work, the same for all of its kind.
        parent: the `traceparent` (W3C Trace Context) of who asked for it, from another process;
            else it belongs to the span around this.
        links: `traceparent` values of what is worked on, such as the messages of a batch.
        attributes: what tells this one from others.
    """
    if not _on:
        return nullcontext()
    named = {f"moorage.{key}": value for key, value in attributes.items()}
    found = [link for value in links if (link := _link(value)) is not None]
    context = _context.extract({HEADER: parent}) if parent else None
    return _tracer.start_as_current_span(name, context, attributes=named, links=found)


def is_on() -> bool:
    """Tell whether spans go anywhere."""
    return _on


def current() -> str | None:
    """Give the `traceparent` of the span around this; None without one that is sampled."""
    carrier: dict[str, str] = {}
    if _on and trace.get_current_span().get_span_context().trace_flags.sampled:
        _context.inject(carrier)
    return carrier.get(HEADER)


def _link(traceparent: str) -> Link | None:
    context = trace.get_current_span(_context.extract({HEADER: traceparent})).get_span_context()
    return Link(context) if context.is_valid else None
