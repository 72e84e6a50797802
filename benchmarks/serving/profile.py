"""Where the time of a request goes: the parts of the hot path, timed where they run, for a batch of 1 and of 32.

One after another in one process, without transport. Timed in place, because a part alone in a loop finds its data in the
processor's caches and looks several times faster than it is behind a model.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from benchmarks.serving.model import BenchmarkModel
from benchmarks.serving.servers import SERVER_CPU
from serving.log.writer import PredictionLog
from serving.protocols.native import Native
from serving.scoring.bundle import read_bundle
from serving.scoring.model import Identity, ServedModel
from serving.security.keys import Guard
from tasks.deploying.keys import create_key, keys_folder

BATCHES = (1, 32)
WARM, REQUESTS = 100, 6400


def profile(model: BenchmarkModel) -> None:
    """Print microseconds a request, one row each, as a share of all parts together."""
    os.sched_setaffinity(0, {SERVER_CPU})
    with tempfile.TemporaryDirectory() as folder:
        served = ServedModel(read_bundle(model.bundle), Identity("1", "profile"), PredictionLog(Path(folder)))
        columns = [_parts(served, model, size) for size in BATCHES]
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    table = Table(title="Microseconds a request")
    table.add_column("part")
    for size in BATCHES:
        table.add_column(f"batch of {size}", justify="right")
    for name in columns[0]:
        table.add_row(name, *(f"{column[name]:.1f} ({column[name] / sum(column.values()):.0%})" for column in columns))
    table.add_row("all parts", *(f"{sum(column.values()):.1f}" for column in columns))
    Console().print(table)


def _parts(served: ServedModel, model: BenchmarkModel, size: int) -> dict[str, float]:
    native, guard = Native(served), Guard(keys_folder("flights") / "keys.json")
    header = f"Bearer {create_key('flights', f'profile-{size}', ('predict',))}"
    guard.tick()
    bodies = [json.dumps({"records": [row]}).encode() for row in model.rows[:size]]
    spent: dict[str, float] = {}

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timing(*args: Any) -> Any:
            began = time.perf_counter()
            result = function(*args)
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - began
            return result

        return timing

    admit, read, write = timed("key", guard.admit), timed("decode and validate", native.read), timed("answer", native.write)
    digest = timed("digest", lambda body: hashlib.sha256(body).hexdigest())
    count, score = timed("metrics", served.metrics.request), timed("score", served.score)
    watched = {
        (served.records, "inputs"): "rows to arrays",
        (served.records, "feeds"): "rows to arrays",
        (served._scorer, "outputs"): "ONNX Runtime",
        (served.records, "unseen"): "values not seen in training",
        (served, "_write"): "log: encode, checksum, write",
    }
    with ExitStack() as stack:
        for (owner, name), label in watched.items():
            stack.enter_context(patch.object(owner, name, timed(label, getattr(owner, name))))
        for number in range(WARM + REQUESTS // size):
            if number == WARM:
                spent.clear()
            jobs = []
            for body in bodies:
                admit(header, "predict")
                job = read(body)
                job.digest = digest(body)
                jobs.append(job)
            score(jobs)
            for job in jobs:
                write(job)
                count("/predict", 200, 0.001)
    spent["log: records and ids"] = spent.pop("score") - sum(spent[label] for label in set(watched.values()))
    return {name: seconds / (REQUESTS // size * size) * 1e6 for name, seconds in spent.items()}
