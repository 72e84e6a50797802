"""The trees of four libraries on all flights of a year: what each costs, and how well it does.

`python -m benchmarks.models [ESTIMATOR...]`: for each, with its usual parameters, the seconds that fitting takes (median of
three), the AUC on the newest fifth, the size of the graph, how far it is from the library at most, on the holdout and on
rows made for its splits, and the microseconds of one row in the graph.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time

import numpy as np
from prefect.logging import disable_run_logger

from configs.load import load_use_case
from configs.schema import Model
from serving.scoring.onnx import Scorer
from tasks.data.derive_contract import derive_contract
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.data.ingest import ingest
from tasks.packaging.convert import check_generated, to_onnx
from tasks.packaging.generated import apart, generate
from tasks.problems.problem import problem_of
from tasks.training.fit import fit

ESTIMATORS = ("hist_gradient_boosting", "random_forest", "lightgbm", "xgboost", "logistic_regression")
ROUNDS, CALLS, HELD = 3, 500, 0.2


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as home, disable_run_logger():
        os.environ["SLIPWAY_HOME"] = home
        case = load_use_case("flights")
        snapshot = ingest.fn(case, None)
        contract = derive_contract.fn(case, snapshot)
        columns, problem = contract_of(contract), problem_of(case.target)
        cut = round(snapshot.rows * (1 - HELD))
        held = read_rows(snapshot, cut, snapshot.rows)
        target, encoded = problem.targets(columns, held), encode(columns, held)[case.features.all]
        print(f"{snapshot.rows:,} flights, fitted on the first {cut:,}, judged on the other {len(held):,}\n")
        heads = ("estimator", "fit, s", "AUC", "ONNX, MB", "apart at most", "generated rows", "one row, µs")
        print(f"| {' | '.join(heads)} |")
        print("|---" * len(heads) + "|")
        for name in sys.argv[1:] or ESTIMATORS:
            recipe = case.recipe.model_copy(update={"model": Model.model_validate({"estimator": name})})
            seconds = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                pipeline, _ = fit(snapshot, cut, contract, recipe)
                seconds.append(time.perf_counter() - began)
            content = to_onnx(pipeline, columns, case.features)
            scorer, expected = Scorer(content, columns), problem.outputs(columns, pipeline, encoded)
            arrays = model_input(encoded)
            found = scorer.outputs(arrays)
            made = generate(content, columns, encoded)
            told = check_generated(
                made, columns, scorer, lambda x, fitted=pipeline: problem.outputs(columns, fitted, x), expected
            )
            auc = problem.metrics["roc_auc"].value(target, problem.judged(found))
            distance = apart(problem, found, expected).max()
            print(
                f"| `{name}` | {np.median(seconds):.1f} | {auc:.4f} | {len(content) / 1e6:.2f} | {distance:.1e} | {told} | "
                f"{_microseconds(scorer, arrays):.0f} |",
                flush=True,
            )


def _microseconds(scorer: Scorer, arrays: dict[str, np.ndarray]) -> float:
    """The median of single rows."""
    seconds = []
    for i in range(CALLS):
        row = {name: values[i : i + 1] for name, values in arrays.items()}
        began = time.perf_counter()
        scorer.outputs(row)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds)) * 1e6


if __name__ == "__main__":
    main()
