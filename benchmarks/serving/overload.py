"""Open-loop load at multiples of the capacity: the latency of what is accepted, and how much is refused.

Requests leave at fixed times whether or not earlier ones were answered, and latency counts from the time at which a request
should have left, so that a slow server cannot hide (Gil Tene's coordinated omission).
"""

from __future__ import annotations

import asyncio
import collections
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.serving.model import BenchmarkModel
from benchmarks.serving.servers import CLIENT_CPU, slipway
from benchmarks.serving.wrk import load

CONNECTIONS = 400
LATENCIES = ("p50 ms", "p99 ms", "max ms")
MULTIPLES = (0.5, 1.0, 2.0, 4.0)


def overload(model: BenchmarkModel, rows: int = 50, seconds: float = 10.0) -> None:
    """Print the table. Several rows a request, so that one client core can send four times what one server core can do."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        server = slipway(model, work)
        server.start(work / "server.out")
        try:
            bodies = [json.dumps({"records": model.rows[at : at + rows]}) for at in range(0, 20 * rows, rows)]
            headers = {"content-type": "application/json", **server.headers}
            closed_loop = load(server.url, bodies, headers, 8, seconds, CLIENT_CPU)
            assert closed_loop.failed == 0, closed_loop
            capacity = closed_loop.rate
            os.sched_setaffinity(0, {CLIENT_CPU})
            table = Table(title=f"{rows} rows a request; one worker answers {capacity:,.0f} requests a second at most")
            for name in ("times capacity", "due a second", "accepted a second", "refused (429)", "other", *LATENCIES):
                table.add_column(name, justify="right")
            for multiple in MULTIPLES:
                requests = [_request(server.port, server.path, headers, body) for body in bodies]
                answers = uvloop.run(_open_loop(server.port, requests, capacity * multiple, seconds))
                table.add_row(f"{multiple:g}", *_row(answers, seconds))
                time.sleep(1)
            Console(width=140).print(table)
        finally:
            os.sched_setaffinity(0, range(os.cpu_count() or 1))
            server.stop()


def _row(answers: list[tuple[int, float]], seconds: float) -> list[str]:
    counts = collections.Counter(status for status, _ in answers)
    accepted = np.array([latency * 1e3 for status, latency in answers if status == 200])
    p50, p99 = np.percentile(accepted, [50, 99])
    other = len(answers) - counts[200] - counts[429]
    rates = f"{len(answers) / seconds:,.0f}", f"{counts[200] / seconds:,.0f}"
    return [*rates, f"{counts[429] / len(answers):.0%}", str(other), f"{p50:.1f}", f"{p99:.1f}", f"{accepted.max():.1f}"]


def _request(port: int, path: str, headers: dict[str, str], body: str) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n{lines}content-length: {len(body)}\r\n\r\n{body}".encode()


class _Connection(asyncio.Protocol):
    """One keep-alive connection with one request on its way at most."""

    def __init__(self, free: collections.deque[_Connection], answers: list[tuple[int, float]]) -> None:
        self._free, self._answers, self._left, self._due = free, answers, 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._free.append(self)

    def send(self, request: bytes, due: float) -> None:
        self._due, self._left = due, -1
        self.transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            head, _, rest = data.partition(b"\r\n\r\n")
            self._status = int(head[9:12])
            length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            self._left = int(length) - len(rest)
        else:
            self._left -= len(data)
        if self._left == 0:
            self._answers.append((self._status, time.monotonic() - self._due))
            self._free.append(self)

    def connection_lost(self, _: Exception | None) -> None:
        if self._left:
            self._answers.append((0, time.monotonic() - self._due))


async def _open_loop(port: int, requests: list[bytes], rate: float, seconds: float) -> list[tuple[int, float]]:
    loop = asyncio.get_running_loop()
    free: collections.deque[_Connection] = collections.deque()
    answers: list[tuple[int, float]] = []
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: _Connection(free, answers), "127.0.0.1", port)
    began, number, total = time.monotonic(), 0, int(rate * seconds)
    while number < total:
        due = began + number / rate
        if (ahead := due - time.monotonic()) > 0.0005:
            await asyncio.sleep(ahead)
        elif not free:
            await asyncio.sleep(0)
            continue
        if free:
            free.popleft().send(requests[number % len(requests)], due)
            number += 1
            if number % 16 == 0:
                await asyncio.sleep(0)
    deadline = time.monotonic() + 30
    while len(answers) < total and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    return answers
