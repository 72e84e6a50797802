"""The peer: `skrub.tabular_pipeline` on the same rows, in its own environment: `python skrub_side.py FOLDER`.

Reads `learn.parquet`, `judge.parquet` and `task.json` (target, problem), writes `outputs.npy` and `classes.json`. With
`crossed` in the task it answers every row of `learn.parquet` instead, each by a model that has not seen it (five folds).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, cross_val_predict
from skrub import tabular_pipeline


def main(folder: Path) -> None:
    """Fit on one part, answer the other."""
    task = json.loads((folder / "task.json").read_text())
    learn, judge = (pd.read_parquet(folder / f"{part}.parquet") for part in ("learn", "judge"))
    target = task["target"]
    if task.get("crossed"):
        np.save(folder / "outputs.npy", crossed(learn.drop(columns=target), learn[target], task["problem"]))
        return
    x, y = learn.drop(columns=target), learn[target]
    if task["problem"] == "regression":
        outputs, classes = tabular_pipeline("regressor").fit(x, y).predict(judge.drop(columns=target)).reshape(-1, 1), []
    else:
        fitted = tabular_pipeline("classifier").fit(x, y.astype(str))
        outputs, classes = fitted.predict_proba(judge.drop(columns=target)), fitted.classes_.tolist()
    np.save(folder / "outputs.npy", outputs)
    (folder / "classes.json").write_text(json.dumps(classes))


def crossed(x: pd.DataFrame, y: pd.Series, problem: str) -> np.ndarray:
    """Answers, shape (rows,): numbers, the probability of the second of two classes, or whether the class is right."""
    folds = KFold(5, shuffle=True, random_state=0)
    if problem == "regression":
        return cross_val_predict(tabular_pipeline("regressor"), x, y, cv=folds)
    model, names = tabular_pipeline("classifier"), y.astype(str)
    if problem == "binary":
        return cross_val_predict(model, x, names, cv=folds, method="predict_proba")[:, 1]
    return cross_val_predict(model, x, names, cv=folds) == names.to_numpy()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
