"""Traces with OpenTelemetry, when `OTEL_EXPORTER_OTLP_ENDPOINT` says where to send them; else nothing is imported.

A request's span continues the caller's trace by W3C `traceparent` (https://www.w3.org/TR/trace-context/).
"""

from __future__ import annotations

import os
from typing import Any

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Span:
    """One request."""

    def __init__(self, span: Any) -> None:
        self._span = span
        self.trace_id = f"{span.get_span_context().trace_id:032x}"

    def end(self, status: int, prediction_ids: list[str], rows: int, identity: Any) -> None:
        """End the span with what became of the request."""
        from opentelemetry.trace import StatusCode

        self._span.set_attributes(
            {
                "http.response.status_code": status,
                "slipway.rows": rows,
                "slipway.prediction_ids": prediction_ids,
                "slipway.model_version": identity.version,
                "slipway.release": identity.release,
            }
        )
        if status >= 500:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class Tracing:
    """Starts spans, and sends them in the background."""

    def __init__(self, use_case: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        name = os.environ.get("OTEL_SERVICE_NAME", f"slipway-{use_case}")
        self._provider = TracerProvider(resource=Resource.create({"service.name": name}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("slipway")
        self._propagator = TraceContextTextMapPropagator()

    def start(self, name: str, traceparent: str | None) -> Span:
        """A span below the caller's, where it sent one."""
        from opentelemetry.trace import SpanKind

        parent = self._propagator.extract({"traceparent": traceparent}) if traceparent else None
        return Span(self._tracer.start_span(name, parent, kind=SpanKind.SERVER))

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def tracing(use_case: str) -> Tracing | None:
    """Tracing where it is configured."""
    return Tracing(use_case) if any(os.environ.get(name) for name in ENDPOINTS) else None
