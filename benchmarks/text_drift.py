"""Windows of real questions, without drift and with it, against a reference: how often a column of texts alarms at 5 %.

`python -m benchmarks.text_drift`; the questions are those of `benchmarks.text`, in an order by chance.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.text import FOLDER
from tasks.columns.choose import KINDS
from tasks.monitoring.drift.evidence import Evidence
from tasks.monitoring.drift.null import calibrate

SPLITS, WINDOWS, CHANGED, ROWS, RATE = 8, 50, 8, 300, 0.05


def main() -> None:
    """Print the share of windows that alarm."""
    whole, found = pd.read_csv(FOLDER / "banking77.csv"), {}
    for seed in range(SPLITS):
        rows = whole.sample(frac=1, random_state=seed).reset_index(drop=True)
        reference, rest = rows.iloc[: len(rows) // 2][["text"]], rows.iloc[len(rows) // 2 :]
        evidence = Evidence(reference, {"text": KINDS["text"]})
        calibration, before = calibrate(evidence, reference, None, ROWS, RATE, (1, 1)), evidence.sums(reference)
        for draw in range(WINDOWS):
            window = rest.sample(ROWS, random_state=draw).reset_index(drop=True)
            for told, changed in {"no drift": window, **(_changed(window, rest) if draw < CHANGED else {})}.items():
                apart = evidence.between(evidence.sums(changed[["text"]]), before)[0]
                found.setdefault(told, []).append(calibration.scores(evidence, apart)["text"] > 1)
    for told, alarms in found.items():
        print(f"{told}: {np.mean(alarms):.1%} of {len(alarms)} windows of {ROWS} questions alarm")


def _changed(window: pd.DataFrame, rest: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The window with a third more questions of one topic, cut texts, and a tenth in another language."""
    more = rest[rest["intent"].str.contains("top_up")].sample(ROWS * 3 // 10, replace=True, random_state=0)
    other = ["wo ist meine Karte geblieben"] * (ROWS // 10)
    return {
        "30 % of them of one topic": pd.concat([window.iloc[len(more) :], more]),
        "cut at 20 characters": window.assign(text=window["text"].str[:20]),
        "10 % in another language": window.assign(text=[*other, *window["text"].iloc[len(other) :]]),
    }


if __name__ == "__main__":
    main()
