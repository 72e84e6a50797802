"""Constant traffic at the gateway, from the generator of the load gate, and what was lost of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from types import TracebackType

import numpy as np

from configs.load import load_use_case
from configs.settings import PROJECT
from tasks.data.source import replay_rows
from tasks.routing import gateway

RATE = 200.0
LONGEST = 1800.0


class Traffic:
    """200 requests of one row a second at random times, for as long as the block lasts."""

    def __init__(self, use_case: str, rate: float = RATE) -> None:
        case = load_use_case(use_case)
        rows = replay_rows(case).slice(0, 100).to_pylist()
        records = [{n: v for n, v in row.items() if n in case.features.all and v is not None} for row in rows]
        self.plan = {
            "address": gateway.address(use_case).removesuffix(f"/{use_case}"),
            "path": f"/{use_case}/predict",
            "headers": {},
            "bodies": [{"records": [record]} for record in records],
            "phases": [{"phase": "traffic", "first": rate, "last": rate, "seconds": LONGEST}],
        }
        self.statuses: Counter[int] = Counter()
        self.latencies = np.array([])

    def __enter__(self) -> Traffic:
        self._output = tempfile.TemporaryFile("w+")
        command = [sys.executable, "-m", "tasks.gates.generator"]
        self._process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=self._output, text=True)
        assert self._process.stdin
        self._process.stdin.write(json.dumps(self.plan))
        self._process.stdin.close()
        time.sleep(4)  # Locust is there, and traffic flows
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        time.sleep(1)
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        self._output.seek(0)
        results = [json.loads(line) for line in self._output]
        self.statuses = Counter(status for *_, status in results)
        self.latencies = np.array([latency for _, _, latency, _, _ in results]) * 1000

    @property
    def sent(self) -> int:
        """Requests."""
        return sum(self.statuses.values())

    @property
    def failed(self) -> int:
        """Those that were not answered with 200."""
        return self.sent - self.statuses[200]

    def row(self, what: str, count: int) -> list[str]:
        """A line of the table."""
        p50, p99 = np.percentile(self.latencies, [50, 99])
        told = ", ".join(f"{n} x {status or 'no answer'}" for status, n in sorted(self.statuses.items()) if status != 200)
        return [what, str(count), f"{self.sent:,}", f"{self.failed}" + f" ({told})" * bool(told), f"{p50:.1f}", f"{p99:.1f}",
                f"{self.latencies.max():.0f}"]  # fmt: skip
