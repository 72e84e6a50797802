"""The peer: `skrub.tabular_pipeline` on the same rows, in its own environment: `python skrub_side.py FOLDER`.

Reads `learn.parquet`, `judge.parquet` and `task.json` (target, problem), writes `outputs.npy` and `classes.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from skrub import tabular_pipeline


def main(folder: Path) -> None:
    """Fit on one part, answer the other."""
    task = json.loads((folder / "task.json").read_text())
    learn, judge = (pd.read_parquet(folder / f"{part}.parquet") for part in ("learn", "judge"))
    target = task["target"]
    x, y = learn.drop(columns=target), learn[target]
    if task["problem"] == "regression":
        outputs, classes = tabular_pipeline("regressor").fit(x, y).predict(judge.drop(columns=target)).reshape(-1, 1), []
    else:
        fitted = tabular_pipeline("classifier").fit(x, y.astype(str))
        outputs, classes = fitted.predict_proba(judge.drop(columns=target)), fitted.classes_.tolist()
    np.save(folder / "outputs.npy", outputs)
    (folder / "classes.json").write_text(json.dumps(classes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
