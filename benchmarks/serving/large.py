"""Ten thousand rows in one request, beside ONNX Runtime alone on the same arrays and one thread."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

import httpx
import onnxruntime as ort
from rich.console import Console
from rich.table import Table

from benchmarks.serving.model import BenchmarkModel
from benchmarks.serving.servers import CLIENT_CPU, SERVER_CPU, slipway


def large(model: BenchmarkModel, rows: int = 10_000, rounds: int = 15) -> None:
    """Print the table: medians over rounds that take turns."""
    records = (model.rows * (rows // len(model.rows) + 1))[:rows]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        server = slipway(model, work)
        server.start(work / "server.out")
        try:
            body, session, feeds = server.body(records).encode(), *_bare(model, records)
            seconds: dict[str, list[float]] = {"ONNX Runtime alone": [], "one request to Slipway": []}
            with httpx.Client(timeout=60, headers=server.headers) as client:
                for _ in range(rounds):
                    os.sched_setaffinity(0, {SERVER_CPU})
                    began = time.perf_counter()
                    session.run(["probabilities"], feeds)
                    seconds["ONNX Runtime alone"].append(time.perf_counter() - began)
                    os.sched_setaffinity(0, {CLIENT_CPU})
                    began = time.perf_counter()
                    client.post(server.url, content=body).raise_for_status()
                    seconds["one request to Slipway"].append(time.perf_counter() - began)
        finally:
            os.sched_setaffinity(0, range(os.cpu_count() or 1))
            server.stop()
    table = Table(title=f"{rows:,} rows, {rounds} rounds, milliseconds")
    for name in ("", "median", "min", "max"):
        table.add_column(name, justify="right")
    for name, several in seconds.items():
        table.add_row(name, *(f"{value * 1e3:.0f}" for value in (statistics.median(several), min(several), max(several))))
    Console().print(table)
    ratios = [ours / bare for bare, ours in zip(*seconds.values(), strict=True)]
    print(f"ratio: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def _bare(model: BenchmarkModel, records: list) -> tuple[ort.InferenceSession, dict]:
    from serving.contract.contract import read_contract

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    feeds = read_contract(model.bundle / "contract.json").encode(records)
    return ort.InferenceSession(str(model.bundle / "model.onnx"), options, providers=["CPUExecutionProvider"]), feeds
