"""Train: a scikit-learn pipeline on the first rows of a snapshot, or an own file held against all of them."""

from __future__ import annotations

import io

from prefect import get_run_logger

from configs.errors import InputError
from configs.schema import Recipe
from tasks.data.frames import contract_of, encode, read_rows
from tasks.data.values import Snapshot
from tasks.problems.problem import problem_of
from tasks.step import step
from tasks.store import put
from tasks.training.calibrate import with_calibration
from tasks.training.fit import fit
from tasks.training.given import GivenModel, hold_against
from tasks.training.interval import with_interval
from tasks.training.threshold import Moved
from tasks.training.values import FittedModel


@step
def train(snapshot: Snapshot, rows: int, contract: str, recipe: Recipe) -> FittedModel:
    """Fit on rows [0, rows) of the snapshot, or on those of them that the recipe's history takes.

    A given file is not trained: it is taken where it answers all rows of the snapshot as a model must.

    Raises:
        InputError: the file does not fit; the estimator does not know one of `model.parameters`, or not this value of it; or
            the history leaves out a class, or too few rows for an interval.
    """
    import joblib

    pipeline, learned = fit(snapshot, rows, contract, recipe)
    if isinstance(pipeline, GivenModel):
        columns = contract_of(contract)
        hold_against(pipeline, encode(columns, read_rows(snapshot, 0, snapshot.rows)))
    if missing := problem_of(recipe.target).unlearned(contract_of(contract), pipeline):
        raise InputError(f"training.history: {recipe.history!r} leaves {missing}; take a longer one")
    if recipe.model.calibration is not None:
        pipeline = with_calibration(pipeline, snapshot, rows, contract, recipe)
    if recipe.threshold is not None:
        pipeline = Moved(pipeline, recipe.threshold)
    calibrated = 0
    if recipe.target.interval is not None:
        pipeline, calibrated = with_interval(pipeline, recipe.target.interval, snapshot, rows, contract, recipe)
    buffer = io.BytesIO()
    joblib.dump(pipeline, buffer)
    fitted = FittedModel(digest=put("models", ".joblib", buffer.getvalue()), rows=learned, calibrated=calibrated)
    told = f"; intervals calibrated on the latest {calibrated:,}" * bool(calibrated)
    if isinstance(pipeline, GivenModel):
        get_run_logger().info("Took %s as it is, SHA-256 %s%s", recipe.model.named, pipeline.digest, told)
    else:
        get_run_logger().info("Trained %s on %s rows%s", recipe.model.named, f"{learned:,}", told)
    return fitted
