"""What reviewing costs where much was reviewed: the list, one answer closely, a decision.

    python -m benchmarks.review [DECISIONS] [WAITING]

The log has a prediction for each decision of the last hundred days, compacted, and as many that nothing sends to people; of
the last day so many wait. Each number is the middle, and the 95th of a hundred, of what was done so often; of pages by the
clock of a browser on the same machine, and with it the seconds of a core that the service took.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from configs.load import load_use_case
from configs.schema import UseCase
from configs.settings import prediction_log, store, use_case_home
from serving.log.writer import Prediction, PredictionLog
from tasks.history import record
from tasks.log.compact import compact
from tasks.log.review_line import written
from tasks.log.reviews import journal_path
from tasks.review.decide import confirm
from tasks.review.decision import decision
from tasks.review.settle import settle
from tasks.review.show import show
from tasks.review.summary import summary

USE_CASE = """
name: bench
source: {tables: {rows: rows.csv}}
target: {column: y, positive: "yes"}
features: {numeric: [a, b, d, e], categorical: [c]}
evaluation: {gates: [{metric: roc_auc, at_least: 0.6}]}
monitoring: {window: 100 rows}
review: {when: {groups: {c: [red]}}, reasons: [new documents], within: 2 days}
"""
CONTRACT = {"use_case": "bench", "columns": [], "target": "y", "classes": ["no", "yes"]}
BATCH = 5_000
NOW = datetime.now(UTC)


def main(decisions: int = 1_000_000, waiting: int = 1_000) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SLIPWAY_HOME"] = os.environ["SLIPWAY_USE_CASES"] = folder
        (Path(folder) / "bench.yaml").write_text(USE_CASE, encoding="utf-8")
        case = load_use_case("bench")
        began = time.perf_counter()
        _fill(decisions, waiting)
        print(f"filled in {time.perf_counter() - began:.0f} s", flush=True)
        title = f"{decisions:,} decisions, {2 * decisions:,} predictions, {waiting:,} answers that wait"
        table = Table("what", "times", "middle, s", "95th of 100, s", "middle, s of a core", title=title)
        with _pages() as pages:
            for name, times, action in _actions(case, pages):
                used = pages.core if name.startswith("page") else time.process_time
                taken = [_timed(action, used, number) for number in range(times)]
                (middle, core), (high, _) = np.percentile(taken, 50, axis=0), np.percentile(taken, 95, axis=0)
                cells = (name, str(times), f"{middle:.2f}", f"{high:.2f}", f"{core:.2f}")
                table.add_row(*cells)
                print(*cells, flush=True)  # what comes next may take long
        Console().print(table)
        print(f"load of the machine: {os.getloadavg()[1]:.1f} over five minutes, {os.cpu_count()} cores")


class Pages:
    """The service of the pages, as somebody's browser asks it."""

    def __init__(self, client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
        self._client, self._process = client, psutil.Process(process.pid)

    def get(self, path: str) -> str:
        """A page."""
        return self._client.get(path).raise_for_status().text

    def confirm(self, path: str) -> None:
        """Load an answer's page, and send its form."""
        token = self.get(path).partition('name="token" value="')[2].partition('"')[0]
        sent = self._client.post(path, data={"token": token, "answer": "confirm"})
        if sent.status_code != HTTPStatus.SEE_OTHER:
            raise RuntimeError(sent.text)

    def core(self) -> float:
        """Seconds of a core that the service took by now."""
        took = self._process.cpu_times()
        return float(took.user + took.system)


@contextmanager
def _pages() -> Iterator[Pages]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "console.web", str(port)])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            while True:
                try:
                    client.get("/ready")
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield Pages(client, process)
    finally:
        process.terminate()
        process.wait()


def _actions(case: UseCase, pages: Pages) -> Iterator[tuple[str, int, Callable[[int], Any]]]:
    yield "list, the first time", 1, lambda _: settle(case, NOW)
    yield "list", 20, lambda _: settle(case, NOW)
    yield "show", 20, lambda number: show(case, f"w{number:06d}", NOW)
    yield "confirm", 20, lambda number: confirm(case, f"w{number:06d}", now=NOW)
    yield "decision of an old one", 20, lambda number: decision(case, f"d{number:08d}", NOW)
    yield "summary", 5, lambda _: summary(case, NOW)
    yield "page: list", 100, lambda _: pages.get("/review/bench")
    yield "page: one answer", 100, lambda number: pages.get(f"/review/bench/w{number + 100:06d}")
    yield "page: one answer, and confirm it", 50, lambda number: pages.confirm(f"/review/bench/w{number + 100:06d}")


def _timed(action: Callable[[int], Any], used: Callable[[], float], number: int) -> tuple[float, float]:
    """Seconds by the clock, and of a core: other work may share the machine."""
    began, before = time.perf_counter(), used()
    action(number)
    return time.perf_counter() - began, used() - before


def _fill(decisions: int, waiting: int) -> None:
    (store("bundles") / "d").mkdir()
    (store("bundles") / "d" / "contract.json").write_text(json.dumps(CONTRACT))
    record("bench", "deploy", "the first", version="1", previous="", release="r", bundle="d", by="")
    log = PredictionLog(prediction_log("bench"))
    step = timedelta(days=100) / decisions
    old = NOW - timedelta(days=103)
    for start in range(0, decisions, BATCH):
        each = range(start, min(start + BATCH, decisions))
        log.append([_prediction(f"d{n:08d}", n, old + n * step, "red") for n in each])
        log.append([_prediction(f"o{n:08d}", n, old + n * step, "blue") for n in each])
    log.append([_prediction(f"w{n:06d}", n, NOW - timedelta(days=1), "red") for n in range(waiting)])
    log.close()
    compact("bench")
    journal_path("bench").parent.mkdir()
    (use_case_home("bench") / "reviews" / "logged").write_text(str(2 * decisions))
    with journal_path("bench").open("wb") as journal:
        for n in range(decisions):
            journal.writelines(line + b"\n" for line in _decided(f"d{n:08d}", old + n * step + timedelta(hours=3)))


def _prediction(name: str, number: int, moment: datetime, c: str) -> Prediction:
    time_ = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    features = {"a": number % 97, "b": number % 31, "d": number % 7, "e": number % 1009, "c": c}
    return Prediction(name, time_, time_, "1", "r", "champion", "shop", features, "yes", [0.4, 0.6], 10, "d" * 64)


def _decided(name: str, moment: datetime) -> Iterator[bytes]:
    said = {"prediction_id": name, "model_answer": "yes", "answer": "yes", "reason": ""}
    yield written("bench", "decision", "ann", moment, **said, text="looks right to me")
    yield written("bench", "final", "ann", moment, **said, people=["ann"], how="confirmed")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
