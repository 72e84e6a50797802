"""Long tables: what each step of a release costs, and `slipway score` beside a plain script.

Usage: python -m benchmarks.scale [--rows N] [--columns K] [chain] [score]

The table is made: numbers, a fifth of the columns categories, a time. `chain` runs the steps as functions in one process,
and scikit-learn alone on the same rows; `score` scores them from Parquet with the bundle that `chain` made, and with a
script of pyarrow, pandas and ONNX Runtime. `steps`, `scored` and `plain` are the processes that these start.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.release_overhead import ARTIFACTS

USE_CASE = """
name: long
description: What does a long table cost?
source: {{tables: {{rows: {path}}}, time_column: at, label_delay: 1 hour}}
target: {{column: y, positive: 1}}
features:
  numeric: [{numeric}]
  categorical: [{categorical}]
model: {{estimator: hist_gradient_boosting, parameters: {{max_iter: 100}}, seed: 0}}
split: {{holdout: 0.2, refit: false}}
evaluation: {{gates: [{{metric: roc_auc, at_least: 0.5}}]}}
monitoring: {{window: 1 day}}
"""


def names(columns: int) -> tuple[list[str], list[str]]:
    """Those of numbers, and those of categories, a fifth of them."""
    return [f"n{i}" for i in range(columns - columns // 5)], [f"c{i}" for i in range(columns // 5)]


def make(path: Path, rows: int, columns: int) -> None:
    """Write the table, a million rows at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    numeric, categorical = names(columns)
    generator, writer = np.random.default_rng(0), None
    for start in range(0, rows, 1_000_000):
        count = min(1_000_000, rows - start)
        made: dict[str, Any] = {name: generator.normal(size=count).round(4) for name in numeric}
        total = sum(made.values()) / len(numeric) ** 0.5
        for i, name in enumerate(categorical):
            codes = generator.integers(0, 10 * 5**i, count)
            made[name] = pa.DictionaryArray.from_arrays(codes, [f"v{n}" for n in range(10 * 5**i)]).cast(pa.string())
            total = total + np.sin(codes) / 2
        made["at"] = pa.array(np.datetime64("2020-01-01", "us") + (start + np.arange(count)) * np.timedelta64(10, "s"))
        made["y"] = (total + generator.normal(size=count) > 0).astype(np.int64)
        table = pa.table(made)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


def peak() -> float:
    """The most memory that this process had, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def chain(path: Path, columns: int) -> list[tuple[str, float, float, float]]:
    """The steps of a release that read rows: name, seconds, seconds of processors, peak memory so far in GB."""
    from prefect.logging import disable_run_logger

    from configs.load import parse_use_case
    from tasks.data import derive_contract, ingest, split, validate
    from tasks.packaging import bundle, convert, variants
    from tasks.registry import lineage
    from tasks.training import evaluate, train

    numeric, categorical = names(columns)
    text = USE_CASE.format(path=path, numeric=", ".join(numeric), categorical=", ".join(categorical))
    case, found = parse_use_case(text, "long.yaml"), []

    def timed(name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        wall, cpu = time.monotonic(), time.process_time()
        result = call(*arguments)
        found.append((name, time.monotonic() - wall, time.process_time() - cpu, peak()))
        print(f"{name}: {found[-1][1]:.1f} s", file=sys.stderr, flush=True)
        return result

    with ExitStack() as stack:
        stack.enter_context(disable_run_logger())
        for name in ARTIFACTS[:3]:
            stack.enter_context(patch(f"tasks.{name}_artifact", lambda **_: None))
        stack.enter_context(patch.object(validate, "report_address", str))
        snapshot = timed("ingest", ingest.ingest.fn, case, None)
        contract = timed("derive_contract", derive_contract.derive_contract.fn, case, snapshot)
        timed("validate", validate.validate.fn, case, snapshot, contract, None)
        parts = timed("split", split.split.fn, case, snapshot)
        fitted = timed("train", train.train.fn, snapshot, parts.learn, contract, case.recipe)
        evaluation = timed("evaluate", evaluate.evaluate.fn, case, parts, contract, fitted)
        onnx = timed("convert", convert.convert.fn, parts, contract, case.features, fitted)
        onnx = timed("choose_variant", variants.choose_variant.fn, parts, contract, case.features, onnx)
        origin = lineage.lineage(case, parts, None, contract, onnx)
        packed = timed("bundle", bundle.bundle.fn, case, snapshot, contract, onnx, evaluation, origin)
    (path.parent / "bundle.txt").write_text(str(packed.path))
    timed("scikit-learn alone", alone, path, columns, parts.learn)
    return found


def alone(path: Path, columns: int, rows: int) -> None:
    """The same estimator on the same rows, from Parquet on, by scikit-learn's own means."""
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    numeric, categorical = names(columns)
    frame = pd.read_parquet(path).iloc[:rows]
    encoded = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=20, max_categories=255)
    model = HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=0)
    transformer = make_column_transformer(("passthrough", numeric), (encoded, categorical))
    make_pipeline(transformer, model).fit(frame[numeric + categorical], frame["y"])


def scored(path: Path) -> None:
    """`slipway score` without Prefect's server."""
    from types import SimpleNamespace

    from prefect.logging import disable_run_logger

    from configs.schema import CsvFormat
    from tasks.scoring import files

    folder = Path((path.parent / "bundle.txt").read_text())
    version = SimpleNamespace(version="1", bundle=SimpleNamespace(path=folder, digest="d"))
    with ExitStack() as stack:
        stack.enter_context(disable_run_logger())
        stack.enter_context(patch.object(files, "create_progress_artifact", lambda **_: None))
        stack.enter_context(patch.object(files, "update_progress_artifact", lambda *_, **__: None))
        files.score_file.fn("long", version, str(path), str(path.parent / "answers"), CsvFormat())


def plain(path: Path) -> None:
    """What people write themselves: batches of pyarrow, pandas, one session of ONNX Runtime on one thread."""
    import onnxruntime
    import pyarrow as pa
    import pyarrow.parquet as pq

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    bundle = Path((path.parent / "bundle.txt").read_text())
    session = onnxruntime.InferenceSession(bundle / "model.onnx", options)
    names = [column["name"] for column in json.loads((bundle / "contract.json").read_text())["columns"]]
    writer = None
    for batch in pq.ParquetFile(path).iter_batches(100_000):
        frame = batch.to_pandas()
        arrays = {}
        for i, name in enumerate(names):
            values = frame[name].to_numpy()
            arrays[session.get_inputs()[i].name] = values.astype(np.float32 if values.dtype.kind == "f" else object)[:, None]
        frame["probability"] = session.run(["probabilities"], arrays)[0][:, 1]
        table = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or pq.ParquetWriter(path.parent / "plain.parquet", table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


@contextmanager
def shown(title: str, *columns: str) -> Iterator[Table]:
    table = Table(title=title)
    for column in columns:
        table.add_column(column)
    yield table
    Console().print(table)


def started(what: str, path: Path, columns: int) -> tuple[float, float, float]:
    """A process of this module: its seconds, those of processors, and its peak memory in GB."""
    command = [sys.executable, "-m", "benchmarks.scale", f"--path={path}", f"--columns={columns}", what]
    before = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{what} failed")
    return time.monotonic() - before, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def measure(measures: list[str], rows: int, columns: int, path: Path) -> None:
    """Make the table, measure, print."""
    if not path.exists():
        make(path, rows, columns)
    title = f"{rows:,} rows of {columns} columns"
    if "chain" in measures:
        started("steps", path, columns)
    if "score" in measures:
        with shown(f"score of {title}", "how", "seconds", "of processors", "peak, GB") as table:
            for what in ("plain", "scored"):
                seconds, busy, memory = started(what, path, columns)
                table.add_row(what, f"{seconds:.1f}", f"{busy:.1f}", f"{memory:.2f}")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("measures", nargs="*", default=["chain", "score"])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--path", type=Path, help="where the table lies, or is made")
    asked = parser.parse_args()
    if asked.measures == ["steps"]:
        with shown("steps", "step", "seconds", "of processors", "peak so far, GB") as table:
            for name, *numbers in chain(asked.path, asked.columns):
                table.add_row(name, *(f"{number:.2f}" for number in numbers))
    elif asked.measures in (["plain"], ["scored"]):
        {"plain": plain, "scored": scored}[asked.measures[0]](asked.path)
    else:
        with tempfile.TemporaryDirectory() as folder:
            os.environ.setdefault("SLIPWAY_HOME", f"{folder}/home")
            measure(asked.measures, asked.rows, asked.columns, asked.path or Path(folder) / "rows.parquet")


if __name__ == "__main__":
    main()
