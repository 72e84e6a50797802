"""Seconds and peak memory from the start of a process to the decision on a window, beside Evidently alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

ROWS = (1_000, 10_000, 100_000, 1_000_000)
COLUMNS = 25
EVIDENTLY_ROWS = 100_000  # more takes it minutes
OURS = """
import resource, sys, time
began = time.monotonic()
import pandas as pd
from configs.schema import Monitoring
from tasks.columns.choose import KINDS
from tasks.monitoring.drift.evidence import Evidence
from tasks.monitoring.drift.null import calibrate
reference, window = (pd.read_parquet(f"{sys.argv[1]}/{name}.parquet") for name in ("reference", "window"))
evidence = Evidence(reference, {name: KINDS["numeric" if name.startswith("x") else "categorical"] for name in reference})
found = calibrate(evidence, reference, None, len(window), 0.01, (1, 1))
scores = found.scores(evidence, evidence.between(evidence.sums(window), evidence.sums(reference))[0])
print([time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, max(scores.values())])
"""
THEIRS = """
import resource, sys, time
began = time.monotonic()
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
frames = [pd.read_parquet(f"{sys.argv[1]}/{name}.parquet") for name in ("reference", "window")]
names = list(frames[0])
definition = DataDefinition(
    numerical_columns=[n for n in names if n.startswith("x")], categorical_columns=[n for n in names if n.startswith("c")]
)
reference, window = (Dataset.from_pandas(frame, data_definition=definition) for frame in frames)
Report([DataDriftPreset()]).run(window, reference).dict()
print([time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 0])
"""


def speed(screen: Console) -> None:
    """A reference of 50,000 rows, and windows of several sizes; three processes each, the median."""
    table = Table(title=f"From the start of the process to the decision, {COLUMNS} columns", title_justify="left")
    for column in ("rows", "Slipway s", "MiB", "Evidently alone s", "MiB"):
        table.add_column(column)
    with tempfile.TemporaryDirectory() as folder:
        _rows(50_000, 0).to_parquet(f"{folder}/reference.parquet")
        for rows in ROWS:
            _rows(rows, 1).to_parquet(f"{folder}/window.parquet")
            ours = _median(OURS, folder)
            theirs = _median(THEIRS, folder) if rows <= EVIDENTLY_ROWS else ["not run", ""]
            table.add_row(f"{rows:,}", *ours, *theirs)
    screen.print(table)


def _rows(count: int, seed: int) -> Any:
    import pandas as pd

    generator = np.random.default_rng(seed)
    numbers = {f"x{i}": generator.normal(size=count).astype("float32") for i in range(COLUMNS - 5)}
    categories = {f"c{i}": generator.choice(list("abcdefgh"), count) for i in range(5)}
    return pd.DataFrame({**numbers, **categories})


def _median(program: str, folder: str) -> list[str]:
    runs = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    seconds, memory = (float(np.median([run[place] for run in runs])) for place in (0, 1))
    return [f"{seconds:.1f}", f"{memory:,.0f}"]
