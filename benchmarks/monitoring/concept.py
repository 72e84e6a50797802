"""Concept drift: the columns are as ever and the labels are not. Found by the metric on labels, beside NannyML's."""

from __future__ import annotations

import json
import subprocess
import tempfile
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.monitoring.data import Rows, read, without_drift
from benchmarks.monitoring.peers import NANNYML
from tasks.monitoring.errors import errors_rose
from tasks.monitoring.measured import RESAMPLES, bound
from tasks.problems.chance import resamples
from tasks.problems.two_classes import roc_auc

RATE, SIZE, SPLITS, WINDOWS = 0.05, 1000, 8, 25
TURNED = (0.0, 0.02, 0.05, 0.1, 0.2)  # shares of rows whose label is the other one
# Runs in NannyML's own environment: the realised AUC of every window against its thresholds, three deviations by default.
PROGRAM = """
import json, sys, warnings
warnings.simplefilter("ignore")
import pandas as pd, nannyml as nml
folder, size = sys.argv[1], int(sys.argv[2])
frames = [pd.read_parquet(f"{folder}/{name}.parquet") for name in ("holdout", "windows")]
frames = [frame.assign(predicted=(frame["probability"] >= 0.5) * 1) for frame in frames]
columns = {"y_pred_proba": "probability", "y_pred": "predicted", "y_true": "target"}
calculator = nml.PerformanceCalculator(**columns, problem_type="classification_binary", metrics=["roc_auc"], chunk_size=size)
result = calculator.fit(frames[0]).calculate(frames[1]).filter(period="analysis").to_df()["roc_auc"]
print(json.dumps([bool(alert) for alert in result["alert"]]))
"""


class Scored(NamedTuple):
    """Labels, 0 or 1, and a model's probabilities, of shape (rows,)."""

    target: np.ndarray
    probability: np.ndarray


def concept(screen: Console) -> None:
    """The share of windows whose labels changed that alarm, and after how many windows the first does."""
    table = Table(
        title=f"Labels turned in {SIZE:,} rows of adult: windows that alarm (ours states {RATE:.0%})", title_justify="left"
    )
    for column in ("labels turned", "Slipway", "windows until found", "ADWIN sees errors rise", "NannyML's defaults"):
        table.add_column(column)
    rows, generator = read("adult"), np.random.default_rng(0)
    prepared = [
        _score(rows, *pair)
        for pair in track(without_drift(rows, SIZE, SPLITS, WINDOWS, seed=7), "concept", SPLITS, console=screen)
    ]
    for share in TURNED:
        ours, first, rose, theirs = [], [], [], []
        for holdout, clean in prepared:
            windows = [_turn(window, share, generator) for window in clean]
            floor = _floor(holdout)
            alarms = [roc_auc(*window) < floor for window in windows]
            ours += alarms
            first.append(alarms.index(True) + 1 if any(alarms) else np.nan)
            before = _errors(holdout)
            rose += ["ADWIN" in errors_rose(before, _errors(window), RATE / 100) for window in windows[:5]]
            theirs += _nannyml(holdout, windows)
        until = f"{np.nanmean(first):.1f}" if not np.isnan(first).all() else "none"
        missing = f", {np.isnan(first).sum()} of {SPLITS} never" if np.isnan(first).any() else ""
        peer = f"{np.mean(theirs):.0%}" if theirs else "not installed"
        table.add_row(f"{share:.0%}", f"{np.mean(ours):.0%}", until + missing, f"{np.mean(rose):.0%}", peer)
    screen.print(table)
    screen.print(f"{SPLITS} splits of {WINDOWS} windows; ADWIN on 5 of each.")


def _score(rows: Rows, reference: Any, windows: list[Any]) -> tuple[Scored, list[Scored]]:
    """A model of one half of the reference on the other, and on the windows."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encoder.fit(reference[rows.categorical].astype("string").fillna(""))

    def inputs(frame: Any) -> np.ndarray:
        codes = encoder.transform(frame[rows.categorical].astype("string").fillna(""))
        return np.hstack([frame[rows.numeric].to_numpy(dtype=float), codes])

    half = np.random.default_rng(0).permutation(len(reference)) < len(reference) // 2
    learned, held = reference[half], reference[~half]
    model = HistGradientBoostingClassifier(random_state=0).fit(inputs(learned), learned["target"])

    def scored(frame: Any) -> Scored:
        return Scored(frame["target"].to_numpy(dtype=int), model.predict_proba(inputs(frame))[:, 1])

    return scored(held), [scored(window) for window in windows]


def _floor(holdout: Scored) -> float:
    """As `measure_performance` has it, where rows have no time."""
    values = [
        roc_auc(holdout.target[drawn], holdout.probability[drawn])
        for drawn in resamples(np.arange(len(holdout.target)), RESAMPLES, SIZE, seed=1)
    ]
    return bound("roc_auc", values, RATE, len(holdout.target))


def _turn(window: Scored, share: float, generator: np.random.Generator) -> Scored:
    turned = generator.random(len(window.target)) < share
    return Scored(np.where(turned, 1 - window.target, window.target), window.probability)


def _errors(scored: Scored) -> np.ndarray:
    return (scored.probability - scored.target) ** 2


def _nannyml(holdout: Scored, windows: list[Scored]) -> list[bool]:
    import pandas as pd

    if not NANNYML.exists():
        return []
    with tempfile.TemporaryDirectory() as folder:
        pd.DataFrame(holdout._asdict()).to_parquet(f"{folder}/holdout.parquet")
        pd.concat([pd.DataFrame(w._asdict()) for w in windows]).to_parquet(f"{folder}/windows.parquet", index=False)
        words = [str(NANNYML), "-c", PROGRAM, folder, str(SIZE)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-1000:])
    return list(json.loads(done.stdout.splitlines()[-1]))
