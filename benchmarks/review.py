"""What reviewing costs where much was reviewed: the list, one answer closely, a decision.

    python -m benchmarks.review [DECISIONS] [WAITING]

The log has a prediction for each decision of the last hundred days, compacted, and as many that nothing sends to people; of
the last day so many wait. Each number is the middle, and the 95th of a hundred, of what was done so often.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from configs.load import parse_use_case
from configs.schema import UseCase
from configs.settings import prediction_log, store, use_case_home
from serving.log.writer import Prediction, PredictionLog
from tasks.history import record
from tasks.log.compact import compact
from tasks.log.reviews import journal_path, written
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
        os.environ["SLIPWAY_HOME"] = folder
        case = parse_use_case(USE_CASE, "bench.yaml")
        _fill(decisions, waiting)
        title = f"{decisions:,} decisions, {2 * decisions:,} predictions, {waiting:,} answers that wait"
        table = Table("what", "times", "middle, s", "95th of 100, s", "middle, s of a core", title=title)
        for name, times, action in _actions(case):
            taken = [_timed(action, number) for number in range(times)]
            (middle, core), (high, _) = np.percentile(taken, 50, axis=0), np.percentile(taken, 95, axis=0)
            cells = (name, str(times), f"{middle:.2f}", f"{high:.2f}", f"{core:.2f}")
            table.add_row(*cells)
            print(*cells, flush=True)  # what comes next may take long
        Console().print(table)


def _actions(case: UseCase) -> Iterator[tuple[str, int, Callable[[int], Any]]]:
    yield "list, the first time", 1, lambda _: settle(case, NOW)
    yield "list", 20, lambda _: settle(case, NOW)
    yield "show", 20, lambda number: show(case, f"w{number:06d}", NOW)
    yield "confirm", 20, lambda number: confirm(case, f"w{number:06d}", now=NOW)
    yield "decision of an old one", 20, lambda number: decision(case, f"d{number:08d}", NOW)
    yield "summary", 3, lambda _: summary(case, NOW)


def _timed(action: Callable[[int], Any], number: int) -> tuple[float, float]:
    """Seconds by the clock, and of a core: other work may share the machine."""
    began, used = time.perf_counter(), time.process_time()
    action(number)
    return time.perf_counter() - began, time.process_time() - used


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
