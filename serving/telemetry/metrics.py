"""What the server counts, in the Prometheus text format; with several workers, all of them together."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from serving.telemetry.traffic import PLAN_WORKERS, TrafficMetrics

_LATENCY = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The counters of one worker process, labelled with the release they belong to.

    With several workers each keeps its counts in a file of `PROMETHEUS_MULTIPROC_DIR`, and whichever is asked adds them up.
    """

    def __init__(self, use_case: str, version: str, release: str) -> None:
        self.registry = registry = CollectorRegistry()
        labels = ["use_case", "version", "release"]
        info = Gauge("slipway_release_info", "The release that serves", labels, registry=registry, multiprocess_mode="max")
        info.labels(use_case, version, release).set(1)
        self._requests = Counter("slipway_requests", "Requests", ["route", "status"], registry=registry)
        self._latency = Histogram(
            "slipway_request_seconds", "Time in the server", ["route"], buckets=_LATENCY, registry=registry
        )
        self.rows = Counter("slipway_rows", "Rows scored", registry=registry)
        self.abstained = Counter("slipway_abstained", "Rows scored and left to a person", registry=registry)
        self.feedback = Counter("slipway_feedback", "Labels received", registry=registry)
        self.unseen = Counter(
            "slipway_unseen_values", "Values outside what the training snapshot showed", ["column"], registry=registry
        )
        self.batch = Histogram("slipway_batch_rows", "Rows scored together", buckets=_SIZES, registry=registry)
        self.queue = Gauge(
            "slipway_queue_rows", "Rows in work, without large requests", registry=registry, multiprocess_mode="livesum"
        )
        self.log_bytes = Counter("slipway_log_bytes", "Bytes appended to the prediction log", registry=registry)
        self.log_failures = Counter("slipway_log_failures", "Batches that could not be logged", registry=registry)
        self.cache = Counter("slipway_cache_lookups", "Answers looked up in the cache", ["found"], registry=registry)
        self.traffic = TrafficMetrics(registry, _LATENCY)
        self._count: dict[tuple[str, int], Callable[[], None]] = {}
        self._time: dict[str, Callable[[float], None]] = {}

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        try:
            self._count[route, status]()
            self._time[route](seconds)
        except KeyError:  # labels are looked up once, which is slow
            self._count.setdefault((route, status), self._requests.labels(route, str(status)).inc)
            self._time.setdefault(route, self._latency.labels(route).observe)
            self.request(route, status, seconds)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._everyone())

    def plans(self) -> dict[str, int]:
        """How many workers carry out each traffic plan, by the digest of its file."""
        found = {
            sample.labels["digest"]: int(sample.value)
            for metric in self._everyone().collect()
            for sample in metric.samples
            if sample.name == PLAN_WORKERS
        }
        return {digest: workers for digest, workers in found.items() if workers}

    def _everyone(self) -> Any:
        """This worker's numbers, or with several all of theirs."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return self.registry
        _forget_the_dead(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
        everyone: Any = CollectorRegistry()
        MultiProcessCollector(everyone)
        return everyone


def _forget_the_dead(folder: Path) -> None:
    """A gauge says what is now, so a worker that died has none; its counters stay, because they happened."""
    for path in folder.glob("gauge_live*_*.db"):
        process = int(path.stem.rpartition("_")[2])
        try:
            os.kill(process, 0)
        except (ProcessLookupError, PermissionError):  # none has the number, or another user's has it by now
            mark_process_dead(process, str(folder))
