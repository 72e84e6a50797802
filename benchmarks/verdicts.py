"""Verdicts: how often a retraining's equal is called better, and one that is better by 0.02 AUC is found.

Usage: python -m benchmarks.verdicts [SIMULATIONS] [PROCESSES]

Each simulation makes a table of its own, releases a champion from it, and retrains after 1, 7 and 30 days: once by the same
recipe (an equal) and once with a column more that is worth about 0.02 AUC. Ingesting, splitting, training, converting,
evaluating and comparing are the very functions of the flows; Prefect, the registry and the servers are left out. Beside the
verdict stands that of the rule before: a champion that has learned everything known at its day, judged on the whole holdout
by the percentile of resampled days.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

START = datetime(2026, 1, 1, tzinfo=UTC)
A_DAY, HISTORY, AFTER = 100, 30, (1, 7, 30)
FRESH = 20_000
# Every training has the same number of rows, else the newer model would truly be better: a history of 24 days where rows
# have a time, and a table that holds its newest 30 days where they have none.
CASE = """
name: simulated
description: Is it so?
source:
  tables: {{rows: {path}}}
{time}
target: {{column: y, positive: 1}}
features: {{numeric: [{columns}]}}
model: {{parameters: {{max_iter: 25, learning_rate: 0.2, max_leaf_nodes: 8}}}}
evaluation: {{gates: [{{metric: roc_auc, at_least: 0.5}}]}}
monitoring: {{window: 700 rows}}
"""
TIME = "  time_column: at\n  label_delay: 1 day\ntraining: {history: [24 days]}"
USUAL, MORE = ["a", "b", "c", "d", "e"], ["a", "b", "c", "d", "e", "f"]
WEIGHTS = np.array([0.8, -0.6, 0.4, 0.2, 0.0, 0.46])  # the last is worth 0.02 AUC


class Outcome(NamedTuple):
    """One retraining: what was said, what the rule before says, and the true gain, on rows that nobody learned from."""

    timed: bool
    days: int
    better: bool
    called: bool
    undecided: bool
    before: bool
    gain: float


def world(days: int, generator: np.random.Generator, a_day: int = A_DAY) -> Any:
    """Rows of so many days; days differ in how often it is so."""
    import pandas as pd

    rows = days * a_day
    x = generator.normal(size=(rows, len(MORE)))
    mood = np.repeat(generator.normal(scale=0.3, size=days), a_day)
    so = generator.random(rows) < 1 / (1 + np.exp(1 - x @ WEIGHTS - mood))
    frame = pd.DataFrame(x, columns=MORE).assign(y=so.astype(int))
    at = pd.Timestamp(START.replace(tzinfo=None)) + pd.to_timedelta(np.arange(rows) * 24 * 60 / a_day, unit="min")
    return frame.assign(at=at)


def use_case(path: Path, timed: bool, columns: list[str]) -> Any:
    """The use case over a table; the model knows these columns."""
    from configs.load import parse_use_case

    return parse_use_case(CASE.format(path=path, columns=", ".join(columns), time=TIME if timed else ""), "simulated.yaml")


def simulate(number: int) -> list[Outcome]:
    """One table, timed and not, with all its retrainings; in a home of its own."""
    from prefect.logging import disable_run_logger

    import tasks.training.evaluate

    with tempfile.TemporaryDirectory() as folder, disable_run_logger():
        os.environ["SLIPWAY_HOME"] = folder
        tasks.training.evaluate.create_table_artifact = lambda **_: None  # type: ignore[assignment]
        generator = np.random.default_rng(number)
        frame = world(HISTORY + max(AFTER) + 1, generator)
        fresh = world(FRESH // A_DAY, generator)
        return [each for timed in (True, False) for each in _retrainings(Path(folder), frame, fresh, timed)]


def _retrainings(folder: Path, frame: Any, fresh: Any, timed: bool) -> list[Outcome]:
    from tasks.training.compare import measure
    from tasks.training.fitted import load

    path, until = _table(folder, frame, 0, timed)
    champion, everything = _champion(use_case(path, timed, USUAL), until)
    found = []
    for days in AFTER:
        path, until = _table(folder, frame, days, timed)
        parts = _split(use_case(path, timed, USUAL), until)
        for columns in (USUAL, MORE):
            case = use_case(path, timed, columns)
            candidate, evaluation = _candidate(case, parts)
            verdict = measure(case, champion, evaluation, parts, "a person")
            gain = _auc(fresh, load(candidate), columns) - _auc(fresh, _Served(champion), USUAL)
            before = better_before(everything, evaluation, parts)
            found.append(Outcome(timed, days, columns is MORE, verdict.better, verdict.undecided, before, gain))
    return found


def _table(folder: Path, frame: Any, days: int, timed: bool) -> tuple[Path, datetime]:
    """The source as it is after so many days: with times all rows, without the newest of 30 days."""
    until = START + timedelta(days=HISTORY + days)
    rows = frame if timed else frame.iloc[days * A_DAY : (HISTORY + days) * A_DAY].drop(columns="at")
    path = folder / f"{'timed' if timed else days}.parquet"
    if not path.exists():
        rows.to_parquet(path, index=False)
    return path, until


def _champion(case: Any, until: datetime) -> tuple[Any, Any]:
    """The version that serves, and a model that learned everything known at its day, as one did before."""
    from tasks.data.derive_contract import derive_contract
    from tasks.packaging.bundle import bundle
    from tasks.packaging.convert import convert
    from tasks.registry.lineage import lineage
    from tasks.registry.values import Version
    from tasks.training.evaluate import evaluate
    from tasks.training.fitted import load
    from tasks.training.train import train

    parts = _split(case, until)
    snapshot, contract = parts.snapshot, derive_contract.fn(case, parts.snapshot)
    evaluation = evaluate.fn(case, parts, contract, train.fn(snapshot, parts.learn, contract, case.recipe))
    onnx = convert.fn(parts, contract, case.features, train.fn(snapshot, parts.final, contract, case.recipe))
    packed = bundle.fn(case, snapshot, contract, onnx, evaluation, lineage(case, parts, until, contract, onnx))
    version = Version(use_case=case.name, version="1", run_id="", bundle=packed, golden=onnx.golden)
    return version, load(train.fn(snapshot, snapshot.rows, contract, case.recipe))


def _candidate(case: Any, parts: Any) -> tuple[Any, Any]:
    from tasks.data.derive_contract import derive_contract
    from tasks.training.evaluate import evaluate
    from tasks.training.train import train

    contract = derive_contract.fn(case, parts.snapshot)
    candidate = train.fn(parts.snapshot, parts.learn, contract, case.recipe)
    return candidate, evaluate.fn(case, parts, contract, candidate)


def _split(case: Any, until: datetime) -> Any:
    from tasks.data.ingest import ingest
    from tasks.data.split import split

    return split.fn(case, ingest.fn(case, until))


def better_before(everything: Any, evaluation: Any, parts: Any) -> bool:
    """The verdict of the rule before, whose champion may have learned from the rows of the holdout."""
    import pandas as pd

    from tasks.data.frames import read_rows
    from tasks.problems.chance import day_blocks, resamples
    from tasks.problems.two_classes import roc_auc
    from tasks.training.compare import RESAMPLES

    scores = pd.read_parquet(evaluation.scores_path)
    target, ours = scores["target"].to_numpy(), scores["probability"].to_numpy()
    theirs = everything.predict_proba(_input(read_rows(parts.snapshot, parts.cut, parts.snapshot.rows), USUAL))[:, 1]
    blocks = day_blocks(scores["time"].to_numpy() if "time" in scores else None, len(scores))
    drawn = resamples(blocks, RESAMPLES, len(np.unique(blocks)), seed=0)
    gains = [roc_auc(target[rows], ours[rows]) - roc_auc(target[rows], theirs[rows]) for rows in drawn]
    return bool(np.quantile(gains, 0.05) > 0)


def _input(frame: Any, columns: list[str]) -> Any:
    return frame[columns].astype(np.float32)


def _auc(frame: Any, model: Any, columns: list[str]) -> float:
    from tasks.problems.two_classes import roc_auc

    return roc_auc(frame["y"].to_numpy(), model.predict_proba(_input(frame, columns))[:, 1])


class _Served:
    """The model in a bundle, asked as scikit-learn's are."""

    def __init__(self, version: Any) -> None:
        from serving.scoring.bundle import read_bundle
        from serving.scoring.onnx import Scorer

        bundle = read_bundle(version.bundle.path)
        self.scorer = Scorer(bundle.model, bundle.contract)

    def predict_proba(self, frame: Any) -> np.ndarray:
        from tasks.data.frames import model_input

        return self.scorer.outputs(model_input(frame))


def main(simulations: int = 200, processes: int = 2) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    os.environ["OMP_NUM_THREADS"] = "1"
    began = time.monotonic()
    with ProcessPoolExecutor(processes) as pool:
        outcomes = [each for found in pool.map(simulate, range(simulations), chunksize=4) for each in found]
    table = Table(title=f"{simulations} retrainings a line, confidence 95 %", title_justify="left")
    for column in ("rows", "days later", "challenger", "true gain", "called better", "before", "undecided"):
        table.add_column(column)
    for timed in (True, False):
        for days in AFTER:
            for better in (False, True):
                same = [o for o in outcomes if (o.timed, o.days, o.better) == (timed, days, better)]
                shares = [f"{np.mean([getattr(o, name) for o in same]):.1%}" for name in ("called", "before", "undecided")]
                gain = f"{np.mean([o.gain for o in same]):+.4f}"
                names = ["timed" if timed else "untimed", str(days), "better" if better else "equal"]
                table.add_row(*names, gain, *shares)
    Console(width=110).print(table)
    decided = [o for o in outcomes if not o.better and not o.undecided]
    for what, same in (("no better", [o for o in decided if o.gain <= 0]), ("better", [o for o in decided if o.gain > 0])):
        share = np.mean([o.called for o in same])
        error = np.sqrt(share * (1 - share) / len(same))
        print(f"{len(same)} equals that are truly {what} on {FRESH:,} rows: {share:.1%} called better (+- {error:.1%})")
    print(f"{time.monotonic() - began:.0f} s in {processes} processes")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
