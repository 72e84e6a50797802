"""Memory of the server over a million requests: it must not grow."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.serving.model import BenchmarkModel
from benchmarks.serving.servers import CLIENT_CPU, slipway
from benchmarks.serving.wrk import load


def memory(model: BenchmarkModel, requests: int = 1_000_000) -> None:
    """Print resident memory after every tenth of the requests."""
    table = Table(title="Memory of all processes while requests come in over 64 connections")
    for name in ("requests", "MB resident", "MB proportional", "failed"):
        table.add_column(name, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        server = slipway(model, work)
        server.start(work / "server.out")
        try:
            bodies = [json.dumps({"records": [row]}) for row in model.rows[:500]]
            headers = {"content-type": "application/json", **server.headers}
            sent = 0
            table.add_row("0", *(f"{value:.1f}" for value in server.memory()), "0")
            while sent < requests:
                one = load(server.url, bodies, headers, 64, 10, CLIENT_CPU)
                sent += int(one.rate * 10)
                table.add_row(f"{sent:,}", *(f"{value:.1f}" for value in server.memory()), str(one.failed))
        finally:
            server.stop()
    Console().print(table)
