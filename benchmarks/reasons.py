"""What reasons cost, beside shap's TreeExplainer and LightGBM's own, in the same run.

`OMP_NUM_THREADS=1 python -m benchmarks.reasons [ESTIMATOR...]`: each is fitted on the first 50,000 flights with its usual
parameters. The table says how far Shapley values are from shap's at most, how many microseconds one row takes, and how many
of 1,000 rows are explained in a second: medians of processor time on one thread, in turn. Slipway begins with the arrays of
records and ends with contributions by column, sorted, or with reason codes in plain sentences too; the others begin with
encoded numbers and end with an array.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from prefect.logging import disable_run_logger

from configs.load import load_use_case
from configs.reasons import Reasons as Rules
from configs.schema import Model
from serving.reasons.reasons import Reasons, read, written
from tasks.data.derive_contract import derive_contract
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.data.ingest import ingest
from tasks.data.split import split
from tasks.packaging.explain import additive
from tasks.packaging.phrase import coding
from tasks.training.fit import fit

ESTIMATORS = ("hist_gradient_boosting", "lightgbm", "xgboost")
LEARNED, MANY, ROUNDS, CALLS = 50_000, 1000, 5, 40


def main() -> None:
    """Print the table."""
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as home, disable_run_logger():
        os.environ["SLIPWAY_HOME"] = home
        case = load_use_case("flights")
        snapshot = ingest.fn(case, None)
        contract, parts = derive_contract.fn(case, snapshot), split.fn(case, snapshot)
        columns = contract_of(contract)
        rows = encode(columns, read_rows(snapshot, LEARNED, LEARNED + MANY))[case.features.all]
        words = coding(case.model_copy(update={"reasons": Rules()}), columns, read_rows(snapshot, 0, LEARNED))
        heads = ("estimator", "from shap at most", "file, kB", "ready, ms", "by", "one row, µs", "rows/s of 1,000")
        print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
        for name in sys.argv[1:] or ESTIMATORS:
            recipe = case.recipe.model_copy(update={"model": Model.model_validate({"estimator": name})})
            pipeline, _ = fit(snapshot, LEARNED, contract, recipe)
            found = additive(pipeline, recipe, parts, columns)
            assert found is not None
            content = written(found)
            began = time.process_time()
            reasons = Reasons(read(content), columns)
            reasons.explain(model_input(rows[:1]), np.zeros((1, 2)))
            ready = 1000 * (time.process_time() - began)
            worded = Reasons(read(content), columns, words)
            ways = {
                "Slipway": _slipway(reasons, rows),
                "in words too": _slipway(worded, rows),
                **_others(name, pipeline, rows),
            }
            apart = _apart(reasons, rows, ways["shap"](0, MANY))
            for way, (one, many) in _timed(ways).items():
                told = (name, f"{apart:.0e}", f"{len(content) / 1000:.0f}", f"{ready:.0f}") if way == "Slipway" else [""] * 4
                print(f"| {' | '.join((*told, way, f'{one:,.0f}', f'{many:,.0f}'))} |", flush=True)


Way = Callable[[int, int], Any]  # explains rows [start, stop)


def _slipway(reasons: Reasons, rows: Any) -> Way:
    arrays, answered = model_input(rows), np.zeros((len(rows), 2))
    return lambda start, stop: reasons.told(
        {name: values[start:stop] for name, values in arrays.items()}, answered[start:stop]
    )


def _others(name: str, pipeline: Any, rows: Any) -> dict[str, Way]:
    import shap

    numbers, model = np.asarray(pipeline[:-1].transform(rows), dtype=np.float64), pipeline[-1]
    explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    ways: dict[str, Way] = {"shap": lambda start, stop: explainer.shap_values(numbers[start:stop], check_additivity=False)}
    if name == "lightgbm":
        booster = model.booster_
        ways["LightGBM"] = lambda start, stop: booster.predict(numbers[start:stop], pred_contrib=True, num_threads=1)
    return ways


def _apart(reasons: Reasons, rows: Any, theirs: Any) -> float:
    """From shap's values of encoded numbers, summed to columns."""
    values = np.asarray(theirs[-1] if isinstance(theirs, list) else theirs)
    owners = reasons._encoding.owners
    summed = np.stack([values[:, owners == column].sum(axis=1) for column in range(len(reasons.columns))], axis=1)
    return float(np.abs(summed - reasons.explain(model_input(rows), np.zeros((len(rows), 2))).contributions).max())


def _timed(ways: dict[str, Way]) -> dict[str, tuple[float, float]]:
    """Of each the microseconds of one row, and the rows a second of many: medians over rounds in turn."""
    ones: dict[str, list[float]] = {name: [] for name in ways}
    manies: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, explain in ways.items():
            for row in range(CALLS):
                began = time.process_time()
                explain(row, row + 1)
                ones[name].append(time.process_time() - began)
            began = time.process_time()
            explain(0, MANY)
            manies[name].append(time.process_time() - began)
    return {name: (1e6 * float(np.median(ones[name])), MANY / float(np.median(manies[name]))) for name in ways}


if __name__ == "__main__":
    main()
