"""Evidently and NannyML with their defaults on the same windows: how far is the column that is farthest?

A score is the largest value of a column over its threshold, so over 1 is an alarm.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.monitoring.data import Rows

NANNYML = Path(".bench/nannyml/bin/python")
# Runs in NannyML's own environment: univariate drift with its defaults, one chunk a window.
PROGRAM = """
import json, sys, warnings
warnings.simplefilter("ignore")
import pandas as pd, nannyml as nml
folder, numeric, categorical, size = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3]), int(sys.argv[4])
reference, windows = pd.read_parquet(f"{folder}/reference.parquet"), pd.read_parquet(f"{folder}/windows.parquet")
columns = {"column_names": numeric + categorical, "treat_as_categorical": categorical}
calculator = nml.UnivariateDriftCalculator(**columns, chunk_size=size)
result = calculator.fit(reference).calculate(windows).filter(period="analysis").to_df()
methods = [(column, result[column].columns[0][0]) for column in numeric + categorical]
found = [result[column][method]["value"] / result[column][method]["upper_threshold"] for column, method in methods]
print(json.dumps([float(s) for s in pd.concat(found, axis=1).max(axis=1)][: len(windows) // size]))
"""


# One chunk a window: what NannyML estimates without labels, from the champion's holdout.
ESTIMATES = """
import json, sys, warnings
warnings.simplefilter("ignore")
import pandas as pd, nannyml as nml
metric, holdout, *windows = json.loads(sys.argv[1])
columns = {"y_pred_proba": "probability", "y_pred": "predicted", "y_true": "target"}
frames = [pd.read_parquet(path, columns=["probability", "target"]).assign(predicted=lambda f: (f["probability"] >= 0.5) * 1)
          for path in (holdout, *windows)]
estimator = nml.CBPE(**columns, problem_type="classification_binary", metrics=[metric], chunk_number=1)
estimator.fit(frames[0].astype({"target": int}))
found = []
for frame in frames[1:]:
    result = estimator.estimate(frame.drop(columns="target")).filter(period="analysis").to_df()
    found.append(float(result[metric]["value"].iloc[0]))
print(json.dumps(found))
"""


def nannyml_estimates(metric: str, holdout: Path, windows: list[Path]) -> list[float] | None:
    """NannyML's CBPE of every window; None where NannyML is not installed, or does not estimate this metric."""
    if not NANNYML.exists() or metric != "roc_auc":
        return None
    words = json.dumps([metric, str(holdout), *map(str, windows)])
    done = subprocess.run([str(NANNYML), "-c", ESTIMATES, words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-1000:])
    return list(json.loads(done.stdout.splitlines()[-1]))


def evidently(rows: Rows, reference: Any, windows: list[Any]) -> tuple[list[float], list[bool]]:
    """Of each window the score, and whether the dataset drifted (half of the columns)."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    scores, most = [], []
    for window in windows:
        shown = [name for name in rows.features if window[name].notna().any()]  # it refuses columns that are all missing
        definition = DataDefinition(
            numerical_columns=[name for name in shown if name in rows.numeric],
            categorical_columns=[name for name in shown if name in rows.categorical],
        )
        before, current = (
            Dataset.from_pandas(_plain(rows, frame)[shown], data_definition=definition) for frame in (reference, window)
        )
        run = Report([DataDriftPreset(columns=shown)]).run(current, before).dict()
        count = next(m["value"] for m in run["metrics"] if "DriftedColumnsCount" in m["config"]["type"])
        found = [m for m in run["metrics"] if "ValueDrift" in m["config"]["type"]]
        scores.append(max(_over(float(m["value"]), m["config"]) for m in found))
        most.append(count["share"] >= 0.5)
    return scores, most


def _over(value: float, config: dict[str, Any]) -> float:
    threshold = float(config["threshold"])
    return threshold / max(value, 1e-300) if "p_value" in config["method"] else value / threshold


def nannyml(rows: Rows, reference: Any, windows: list[Any]) -> list[float] | None:
    """Of each window the score; None where NannyML is not installed in `.bench/nannyml`."""
    import pandas as pd

    if not NANNYML.exists():
        return None
    with tempfile.TemporaryDirectory() as folder:
        _plain(rows, reference).to_parquet(f"{folder}/reference.parquet")
        _plain(rows, pd.concat(windows)).to_parquet(f"{folder}/windows.parquet")
        words = [json.dumps(rows.numeric), json.dumps(rows.categorical), str(len(windows[0]))]
        done = subprocess.run([str(NANNYML), "-c", PROGRAM, folder, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-1000:])
    return list(json.loads(done.stdout.splitlines()[-1]))


def _plain(rows: Rows, frame: Any) -> Any:
    found = frame[rows.features].copy()
    for name in rows.categorical:
        found[name] = found[name].astype("string").fillna("").astype(object)
    for name in rows.numeric:
        found[name] = found[name].astype("float64")
    return found.reset_index(drop=True)
