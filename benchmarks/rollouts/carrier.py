"""What carrying out a traffic plan costs: the champion's server with plans in turn, beside itself without one.

`python -m benchmarks.rollouts.carrier`; needs `wrk` and `taskset`. The champion has a core of its own; the challenger shares
the other with the load generator, so rates with an arm are lower than with a third core. The champion's processor time a
request does not depend on that.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.serving.model import BenchmarkModel, build
from benchmarks.serving.servers import CLIENT_CPU, SERVER_CPU, Server
from benchmarks.serving.wrk import Load, load
from configs.files import write_atomically
from tasks.deploying.platforms.ports import free_port

CONNECTIONS = (1, 16, 64)
SLOW_SECONDS = 0.5
BODIES = 500


class Run(NamedTuple):
    """What one run saw, and the champion's processor time a request in microseconds."""

    load: Load
    cpu: float


def carrier(screen: Console, rounds: int = 3, seconds: float = 3.0) -> None:
    """Print what each plan does to requests a second, p50, p99 and processor time, by connections; medians of the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        model = build(work / "home")
        plan = work / "plan.json"
        champion = _server("champion", model, work, {"SLIPWAY_TRAFFIC": str(plan)}, "1", SERVER_CPU)
        challenger = _server("challenger", model, work, {}, "2", CLIENT_CPU)
        slow = Server("slow", lambda port: [sys.executable, "-m", __spec__.name, str(port)], "/", "/", str, list)
        bodies = [json.dumps({"records": [row]}) for row in model.rows[:BODIES]]
        try:
            for server in (champion, challenger, slow):
                server.start(work / f"{server.name}.out")
            plans = _plans(_address(challenger), _address(slow), f"http://127.0.0.1:{free_port()}")
            for connections in CONNECTIONS:
                found: dict[str, list[Run]] = {name: [] for name in plans}
                for _ in range(rounds):
                    for name, content in plans.items():
                        follow(champion, plan, content)
                        found[name].append(_run(champion, bodies, connections, seconds))
                _show(screen, connections, found)
        finally:
            for server in (champion, challenger, slow):
                server.stop()


def _server(name: str, model: BenchmarkModel, work: Path, environment: dict[str, str], version: str, cpu: int) -> Server:
    options = ["--log", str(work / f"{name}.log"), "--bundle", str(model.bundle), "--version", version, "--release", name]

    def command(port: int) -> list[str]:
        return ["taskset", "-c", str(cpu), sys.executable, "-m", "serving", "--port", str(port), *options]

    secret = {"SLIPWAY_LOG_PEPPER": "the benchmark's own"}
    return Server(name, command, "/predict", "/readyz", str, list, environment={**secret, **environment})


def _plans(challenger: str, slow: str, down: str) -> dict[str, dict[str, Any] | None]:
    def arm(share: float, address: str) -> dict[str, Any]:
        return {"name": "arm", "version": "2", "release": "challenger", "addresses": [address], "share": share}

    def plan(name: str, **more: Any) -> dict[str, Any]:
        return {"id": name, "salt": "benchmark", **more}

    return {
        "no plan": None,
        "0 %": plan("0", arms=[arm(0.0, challenger)]),
        "10 % canary": plan("10", arms=[arm(0.1, challenger)]),
        "50 %": plan("50", arms=[arm(0.5, challenger)]),
        "shadow 100 %": plan("shadow", shadows=[arm(1.0, challenger)]),
        f"shadow of {SLOW_SECONDS:g} s": plan("slow", shadows=[arm(1.0, slow)]),
        "shadow is down": plan("down", shadows=[arm(1.0, down)]),
    }


def follow(server: Server, path: Path, plan: dict[str, Any] | None) -> None:
    """Put a plan in force; returns when it is."""
    before = httpx.get(f"{_address(server)}/internal/plans").json()
    if plan is None:
        path.unlink(missing_ok=True)
        changed: Callable[[Any], bool] = lambda found: found == {}  # noqa: E731
    else:
        write_atomically(path, json.dumps(plan).encode())
        changed = lambda found: found not in ({}, before)  # noqa: E731
    deadline = time.monotonic() + 10
    while not changed(httpx.get(f"{_address(server)}/internal/plans").json()):
        assert time.monotonic() < deadline, "the plan was not taken"
        time.sleep(0.05)
    time.sleep(0.5)


def _run(server: Server, bodies: list[str], connections: int, seconds: float) -> Run:
    began = _cpu_seconds(server)
    found = load(server.url, bodies, {"content-type": "application/json"}, connections, seconds, CLIENT_CPU)
    assert not found.failed, f"{found.failed} requests failed"
    return Run(found, (_cpu_seconds(server) - began) * 1e6 / (found.rate * seconds))


def _cpu_seconds(server: Server) -> float:
    assert server.process is not None
    root = psutil.Process(server.process.pid)
    return sum(sum(each.cpu_times()[:2]) for each in [root, *root.children(recursive=True)])


def _show(screen: Console, connections: int, found: dict[str, list[Run]]) -> None:
    table = Table(title=f"{connections} connections, medians of {len(found['no plan'])} rounds")
    for name in ("plan", "requests/s", "of no plan", "p50 ms", "p99 ms", "champion's µs a request"):
        table.add_column(name, justify="left" if name == "plan" else "right")
    without = statistics.median(run.load.rate for run in found["no plan"])
    for name, runs in found.items():
        rate, p50, p99, cpu = (
            statistics.median(of(run) for run in runs)
            for of in (lambda r: r.load.rate, lambda r: r.load.p50, lambda r: r.load.p99, lambda r: r.cpu)
        )
        table.add_row(name, f"{rate:,.0f}", f"{rate / without:.0%}", f"{p50:.2f}", f"{p99:.2f}", f"{cpu:.0f}")
    screen.print(table)


def _address(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


async def _slow(port: int) -> None:
    """A server whose every answer takes `SLOW_SECONDS`, but for whoever asks whether it is there."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.startswith(b"POST"):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                await asyncio.sleep(SLOW_SECONDS)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async with await asyncio.start_server(serve, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        os.sched_setaffinity(0, {CLIENT_CPU})
        asyncio.run(_slow(int(sys.argv[1])))
    else:
        carrier(Console(width=110))
