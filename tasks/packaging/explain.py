"""Explain: what a bundle gives reasons from, taken out of the fitted pipeline, and held against its answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from prefect import get_run_logger

from configs.errors import CheckFailed
from configs.schema import Recipe
from serving.contract.contract import Contract
from serving.reasons.reasons import Additive, Described, Reasons, written
from serving.reasons.scale import Scale
from tasks.columns.encoder import encoded as encoded_columns
from tasks.data.frames import contract_of, encode, model_input, read_rows
from tasks.data.values import Split
from tasks.packaging.generated import apart
from tasks.packaging.paths import paths_of
from tasks.problems.problem import problem_of
from tasks.step import step
from tasks.store import put
from tasks.training.calibrate import Calibrated
from tasks.training.estimators.choose import family_of
from tasks.training.fit import taken_rows
from tasks.training.fitted import load
from tasks.training.interval import Within
from tasks.training.threshold import Moved
from tasks.training.values import FittedModel

TOLERANCE = 1e-5
COMPARED = 1000  # rows of the holdout
ROWS = 256  # at a time


class ReasonsError(CheckFailed):
    """Reasons do not add up to what the model answers."""


@step
def explain(split: Split, contract: str, recipe: Recipe, fitted: FittedModel) -> str | None:
    """Keep the file that reasons are given from, and return its digest; None where the model is none that has reasons.

    Those of an interval are of the number, those of calibrated probabilities of the score that the curve is given, and those
    of a moved threshold of what it is held against.

    Raises:
        ReasonsError: on a row of the holdout they do not add up to the model's answer.
    """
    columns, pipeline = contract_of(contract), plain(load(fitted))
    found = additive(pipeline, recipe, split, columns)
    if found is None:
        get_run_logger().info("No reasons with answers: %s is no model that they are known of", recipe.model.named)
        return None
    rows = read_rows(split.snapshot, split.cut, split.snapshot.rows)
    rows = encode(columns, rows.iloc[:: max(1, len(rows) // COMPARED)])[recipe.features.all]
    difference = check_sums(Reasons(found, columns), columns, pipeline, rows)
    get_run_logger().info("Reasons add up to the answers on %s rows, at most %.1e apart", f"{len(rows):,}", difference)
    return put("reasons", ".npz", written(found))


def plain(pipeline: Any) -> Any:
    """The pipeline that gives the number of an interval, or the scores that are calibrated or held against a threshold."""
    if isinstance(pipeline, Within):
        return pipeline.number
    return pipeline.model if isinstance(pipeline, Calibrated | Moved) else pipeline


def additive(pipeline: Any, recipe: Recipe, split: Split, contract: Contract) -> Additive | None:
    """What a fitted pipeline is a sum of; None of an own pipeline or file, whose encoding nobody knows."""
    family = family_of(recipe.model)
    found = None if family is None else family.adds(pipeline[-1])
    if family is None or found is None:
        return None
    described = Described(found.scale, encoded_columns(pipeline[0], recipe.features, family.linear))
    if found.weights is None:
        return Additive(described, found.intercept, paths_of(found.trees))
    frame, _ = taken_rows(split.snapshot, split.final, recipe)
    numbers = pipeline[:-1].transform(encode(contract, frame)[recipe.features.all])
    means = np.ravel(numbers.astype(np.float64).mean(axis=0))
    return Additive(described, found.intercept, None, found.weights, means)


def check_sums(reasons: Reasons, contract: Contract, pipeline: Any, encoded: Any) -> float:
    """How far apart the model's outputs are at most from what reasons add up to, on encoded rows of a frame.

    Raises:
        ReasonsError: by more than the tolerance.
    """
    problem, worst = problem_of(contract), 0.0
    expected = problem.outputs(contract, pipeline, encoded)
    for start in range(0, len(encoded), ROWS):
        part, wanted = encoded.iloc[start : start + ROWS], expected[start : start + ROWS]
        every = [_sums(reasons, part, output) for output in range(reasons.outputs)]
        found = answers(reasons.scale, np.column_stack(every))
        worst = max(worst, float(apart(problem, found, wanted, expected).max()))
    if worst > TOLERANCE:
        raise ReasonsError(f"reasons add up to something else than the model answers, {worst:.1e} off; at most {TOLERANCE}")
    return worst


def _sums(reasons: Reasons, encoded: Any, output: int) -> np.ndarray:
    asked = np.zeros((len(encoded), reasons.outputs))
    asked[:, output] = 1
    found = reasons.explain(model_input(encoded), asked)
    return found.base + found.contributions.sum(axis=1)


def answers(scale: Scale, sums: np.ndarray) -> np.ndarray:
    """What a model answers whose reasons have these sums, both of shape (rows, k); of two classes both.

    >>> answers("log_odds", np.array([[0.0]])).tolist(), answers("log_value", np.array([[0.0]])).tolist()
    ([[0.5, 0.5]], [[1.0]])
    """
    from scipy.special import expit, softmax

    if scale == "logit":
        return np.asarray(softmax(sums, axis=1))
    found = np.exp(sums) if scale == "log_value" else expit(sums) if scale == "log_odds" else sums
    two = sums.shape[1] == 1 and scale in ("log_odds", "probability")
    return np.column_stack([1 - found, found]) if two else np.asarray(found)
