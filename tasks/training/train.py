"""Train: a scikit-learn pipeline on the first rows of a snapshot."""

from __future__ import annotations

import io

from prefect import get_run_logger

from configs.errors import InputError
from configs.schema import Recipe
from tasks.data.frames import contract_of
from tasks.data.values import Snapshot
from tasks.problems.problem import problem_of
from tasks.step import step
from tasks.store import put
from tasks.training.fit import fit
from tasks.training.interval import with_interval
from tasks.training.values import FittedModel


@step
def train(snapshot: Snapshot, rows: int, contract: str, recipe: Recipe) -> FittedModel:
    """Fit on rows [0, rows) of the snapshot, or on those of them that the recipe's history takes.

    Raises:
        InputError: the estimator does not know one of `model.parameters`, or not this value of it; or the history leaves out
            a class, or too few rows for an interval.
    """
    import joblib

    pipeline, learned = fit(snapshot, rows, contract, recipe)
    if missing := problem_of(recipe.target).unlearned(contract_of(contract), pipeline):
        raise InputError(f"training.history: {recipe.history!r} leaves {missing}; take a longer one")
    calibrated = 0
    if recipe.target.interval is not None:
        pipeline, calibrated = with_interval(pipeline, recipe.target.interval, snapshot, rows, contract, recipe)
    buffer = io.BytesIO()
    joblib.dump(pipeline, buffer)
    fitted = FittedModel(digest=put("models", ".joblib", buffer.getvalue()), rows=learned, calibrated=calibrated)
    told = f"; intervals calibrated on the latest {calibrated:,}" * bool(calibrated)
    get_run_logger().info("Trained %s on %s rows%s", recipe.model.named, f"{learned:,}", told)
    return fitted
