"""What measuring the influence of columns adds to a release, on flights up to March.

`OMP_NUM_THREADS=1 python -m benchmarks.influence [ESTIMATOR...]`: seconds of the step that explains, and of the one that
measures importance and effects and draws the page; the first time in a process, with matplotlib's import, and again.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from prefect.logging import disable_run_logger

from configs.forms import parse_time
from configs.load import load_use_case
from configs.schema import Model
from tasks.data.derive_contract import derive_contract
from tasks.data.ingest import ingest
from tasks.data.split import split
from tasks.explaining import measure_influence
from tasks.packaging.convert import convert
from tasks.packaging.explain import explain
from tasks.training.train import train

ESTIMATORS = ("hist_gradient_boosting", "lightgbm", "xgboost", "logistic_regression")


def main() -> None:
    """Print the table."""
    warnings.filterwarnings("ignore")
    linked = patch.multiple(measure_influence, create_link_artifact=lambda **_: None, report_address=str)
    with tempfile.TemporaryDirectory() as home, disable_run_logger(), linked:
        os.environ["SLIPWAY_HOME"] = home
        case = load_use_case("flights")
        snapshot = ingest.fn(case, parse_time("2013-03-01"))
        contract, parts = derive_contract.fn(case, snapshot), split.fn(case, snapshot)
        heads = ("estimator", "explain, s", "influence, s", "again, s", "rows", "by permutation, s")
        print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
        for name in sys.argv[1:] or ESTIMATORS:
            chosen = case.model_copy(update={"model": Model.model_validate({"estimator": name})})
            fitted = train.fn(snapshot, parts.learn, contract, chosen.recipe)
            onnx = convert.fn(parts, contract, chosen.features, fitted)
            explaining, reasons = _timed(explain.fn, parts, contract, chosen.recipe, fitted)
            given = (chosen, parts, contract, fitted, onnx)
            first, found = _timed(measure_influence.measure_influence.fn, *given, reasons)
            again, _ = _timed(measure_influence.measure_influence.fn, *given, reasons)
            permuted, _ = _timed(measure_influence.measure_influence.fn, *given, None)
            print(f"| {name} | {explaining:.1f} | {first:.1f} | {again:.1f} | {found.rows:,} | {permuted:.1f} |", flush=True)


def _timed(work: Callable[..., Any], *given: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    found = work(*given)
    return time.perf_counter() - began, found


if __name__ == "__main__":
    main()
