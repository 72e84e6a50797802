"""What the server counts, in the Prometheus text format."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LATENCY = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The counters of one worker process, labelled with the release they belong to."""

    def __init__(self, use_case: str, version: str, release: str) -> None:
        self.registry = CollectorRegistry()
        labels = ["use_case", "version", "release"]
        info = Gauge("slipway_release_info", "The release that serves", labels, registry=self.registry)
        info.labels(use_case, version, release).set(1)
        self.requests = Counter("slipway_requests", "Requests", ["route", "status"], registry=self.registry)
        self.rows = Counter("slipway_rows", "Rows scored", registry=self.registry)
        self.feedback = Counter("slipway_feedback", "Labels received", registry=self.registry)
        self.unseen = Counter(
            "slipway_unseen_values",
            "Values outside what the training snapshot showed",
            ["column"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "slipway_request_seconds", "Time in the server", ["route"], buckets=_LATENCY, registry=self.registry
        )

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
