"""What the prediction log costs: the server as it is, beside the same server with the log's one `write` left out."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.serving.model import BenchmarkModel
from benchmarks.serving.servers import CLIENT_CPU, Server, slipway
from benchmarks.serving.wrk import load

WITHOUT = "import sys, serving.log.writer as log, runpy; "
WITHOUT += "log.PredictionLog.append = lambda self, records: 0; sys.argv[0] = 'serving'; "
WITHOUT += "runpy.run_module('serving', run_name='__main__')"


def log_cost(model: BenchmarkModel, rounds: int = 9, seconds: float = 5.0) -> None:
    """Print the throughput with and without, pair by pair, at 64 connections."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        logged = slipway(model, work)
        unlogged = Server(**{**vars(logged), "name": "without", "command": lambda port: _without(logged, port)})
        servers = [logged, unlogged]
        try:
            for server in servers:
                server.start(work / f"{server.name}.out")
            bodies = [json.dumps({"records": [row]}) for row in model.rows[:500]]
            headers = {"content-type": "application/json", **logged.headers}
            rates = [[load(s.url, bodies, headers, 64, seconds, CLIENT_CPU).rate for s in servers] for _ in range(rounds)]
        finally:
            for server in servers:
                server.stop()
    for name, several in zip(("with the log", "without"), zip(*rates, strict=True), strict=True):
        print(f"{name}: median {statistics.median(several):,.0f} requests a second")
    costs = [1 - logged / without for logged, without in rates]
    print(f"cost of the log: median {statistics.median(costs):.1%} ({min(costs):.1%} to {max(costs):.1%})")


def _without(logged: Server, port: int) -> list[str]:
    return [sys.executable, "-c", WITHOUT, *logged.command(port)[3:]]
