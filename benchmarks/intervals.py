"""Intervals on rows that came later: what was promised, what was held, and how wide; beside intervals of one width.

`python -m benchmarks.intervals bike_hour.csv` takes the file of the page `docs/regression-and-classes.md`.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
from prefect.logging import disable_run_logger

from configs.load import parse_use_case
from configs.settings import PROJECT
from tasks.data.derive_contract import derive_contract
from tasks.data.frames import contract_of, encode, read_rows
from tasks.data.ingest import ingest
from tasks.data.values import Snapshot
from tasks.training.fit import learned, taken_rows
from tasks.training.interval import CALIBRATED, conformal, with_interval

HOLDOUTS = 6  # the last of the table, each of so many rows
ROWS = 60 * 24


def main(source: Path) -> None:
    """Print a line a holdout and share."""
    page = (PROJECT / "docs/regression-and-classes.md").read_text()
    text = re.findall(r"```yaml\n(.*?)```", page, re.S)[0].replace("${DATA}/bike_hour.csv", str(source.resolve()))
    case = parse_use_case(text, "bikes.yaml")
    with tempfile.TemporaryDirectory() as home, disable_run_logger():
        os.environ["SLIPWAY_HOME"] = home
        snapshot = ingest.fn(case, None)
        contract = derive_contract.fn(case, snapshot)
        print(
            "| holdout from row | promised | held | mean width | held, one width | that width |\n|---|---|---|---|---|---|"
        )
        for number in range(HOLDOUTS, 0, -1):
            cut = snapshot.rows - number * ROWS
            for share in (0.8, 0.9, 0.95):
                print(_line(case, snapshot, contract, cut, share))


def _line(case: object, snapshot: Snapshot, contract: str, cut: int, share: float) -> str:
    columns, recipe = contract_of(contract), case.recipe  # type: ignore[attr-defined]
    frame, weights = taken_rows(snapshot, cut, recipe)
    model, _ = with_interval(learned(columns, recipe, frame, weights), share, snapshot, cut, contract, recipe)
    judge = read_rows(snapshot, cut, cut + ROWS)
    target = judge[recipe.target.column].to_numpy(dtype=np.float64)
    number, low, high = model.predict(encode(columns, judge)[recipe.features.all]).T
    first = len(frame) - round(len(frame) * CALIBRATED)
    before, latest = learned(columns, recipe, frame[:first], weights[:first]), frame[first:]
    errors = np.abs(latest[recipe.target.column] - before.predict(encode(columns, latest)[recipe.features.all]))
    half = conformal(np.asarray(errors), share)
    held, plain = ((low <= target) & (target <= high)).mean(), (np.abs(target - number) <= half).mean()
    return f"| {cut:,} | {share:.2f} | {held:.3f} | {(high - low).mean():.0f} | {plain:.3f} | {2 * half:.0f} |"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
