"""Slipway beside BentoML, MLServer, MLflow and the floor: the same model and rows, each on one core, wrk on the other."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.serving.model import BenchmarkModel
from benchmarks.serving.servers import CLIENT_CPU, Server, bento, floor, mlflow, mlserver, slipway
from benchmarks.serving.wrk import Load, load

CONNECTIONS = (1, 16, 64)
BODIES = 500


def compare(model: BenchmarkModel, rounds: int = 3, seconds: float = 5.0) -> None:
    """Print the table.

    Every round asks every server once, so that a change of the machine's speed hits all alike; the others are
    paused meanwhile.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        servers = [make(model, work) for make in (slipway, bento, mlserver, mlflow)]
        try:
            for server in servers:
                server.start(work / f"{server.name}.out")
            servers.append(floor(work, _answer(servers[0], model)))
            servers[-1].start(work / "floor.out")
            _check_answers(servers, model)
            for server in servers:
                server.pause()
            found = _measure(servers, model, rounds, seconds)
            _print(servers, found)
        finally:
            for server in servers:
                server.resume()
                server.stop()


def _answer(server: Server, model: BenchmarkModel) -> bytes:
    import httpx

    return httpx.post(server.url, content=server.body(model.rows[:1]), headers=server.headers).content


def _check_answers(servers: list[Server], model: BenchmarkModel) -> None:
    """All of them must say the same (the floor says nothing but its one answer)."""
    said = {server.name: np.array(server.ask(model.rows[:50])) for server in servers if server.name != "floor"}
    for name, probabilities in said.items():
        difference = np.abs(probabilities - said["Slipway"]).max()
        assert difference < 1e-6, f"{name} differs by {difference}"


def _measure(servers: list[Server], model: BenchmarkModel, rounds: int, seconds: float) -> dict[tuple[str, int], list[Load]]:
    found: dict[tuple[str, int], list[Load]] = {}
    for number in range(rounds):
        for server in servers:
            bodies = [server.body([row]) for row in model.rows[:BODIES]]
            headers = {"content-type": "application/json", **server.headers}
            server.resume()
            load(server.url, bodies, headers, 16, 1.0, CLIENT_CPU)  # warm again
            for connections in CONNECTIONS:
                one = load(server.url, bodies, headers, connections, seconds, CLIENT_CPU)
                found.setdefault((server.name, connections), []).append(one)
                print(f"round {number + 1}: {server.name}, {connections} connections: {one.rate:,.0f} a second", flush=True)
            server.pause()
    return found


def _print(servers: list[Server], found: dict[tuple[str, int], list[Load]]) -> None:
    table = Table(title="One row a request, one core, medians: requests a second (p50 / p99 ms)")
    table.add_column("server")
    for connections in CONNECTIONS:
        table.add_column(f"{connections} connections", justify="right")
    for name in ("failed", "Slipway / it at 64", "ready s", "MB resident", "MB proportional"):
        table.add_column(name, justify="right")
    ours = [one.rate for one in found["Slipway", 64]]
    for server in servers:
        several = [found[server.name, connections] for connections in CONNECTIONS]
        ratios = [mine / one.rate for mine, one in zip(ours, several[-1], strict=True)]
        resident, proportional = server.memory()
        table.add_row(
            server.name,
            *(_cell(runs) for runs in several),
            str(sum(one.failed for runs in several for one in runs)),
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            f"{server.ready_seconds:.2f}",
            f"{resident:.0f}",
            f"{proportional:.0f}",
        )
    Console(width=170).print(table)


def _cell(runs: list[Load]) -> str:
    rate, p50, p99 = (statistics.median(getattr(one, name) for one in runs) for name in ("rate", "p50", "p99"))
    return f"{rate:,.0f} ({p50:.2f} / {p99:.2f})"
