"""Intervals: how far off a number may be, learned from errors on rows that the model did not learn from.

Split conformal prediction with locally weighted residuals (Lei et al., "Distribution-Free Predictive Inference for
Regression", 2018, section 5.2): an interval is the number, give or take the error that a second model expects of such a
row, times a scale. The scale is the quantile of how many times as large errors were on the latest rows, which neither model
had seen.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from configs.errors import InputError
from configs.kinds import first_estimator
from configs.schema import Model, Recipe
from serving.contract.contract import Contract
from tasks.data.frames import contract_of, encode
from tasks.data.values import Snapshot
from tasks.problems.problem import problem_of
from tasks.training.fit import learned, taken_rows

CALIBRATED = 0.2  # the share of the rows, the latest, that the scale comes from
FOLDS = 3  # of the others, for errors that the second model can learn from
LEAST = 0.1  # of the mean error: nobody is surer of a row
SPREAD: dict[str, dict[str, int]] = {
    "hist_gradient_boosting": {"max_iter": 60, "max_leaf_nodes": 15, "min_samples_leaf": 40}
}


class Within:
    """A fitted pipeline for the number, one for the error that is to be expected, and what makes an interval of them."""

    def __init__(self, number: Any, spread: Any, scale: float, least: float) -> None:
        self.number, self.spread, self.scale, self.least = number, spread, scale, least

    def predict(self, encoded: Any) -> np.ndarray:
        """The number, `low` and `high`, shape (rows, 3)."""
        number = self.number.predict(encoded)
        half = self.scale * expected_error(self.spread, self.least, encoded)
        return np.column_stack([number, number - half, number + half])


def with_interval(
    number: Any, share: float, snapshot: Snapshot, rows: int, contract: str, recipe: Recipe
) -> tuple[Within, int]:
    """A pipeline fitted on rows [0, rows), with intervals that hold so great a share, and on how many rows they rest.

    The scale is measured with a model of the earlier rows; the one that serves knows the latest rows as well, so that its
    errors are those or smaller.

    Raises:
        InputError: there are too few rows for the share.
    """
    columns = contract_of(contract)
    frame, weights = taken_rows(snapshot, rows, recipe)
    cut = len(frame) - round(len(frame) * CALIBRATED)
    earlier, counts = frame[:cut], weights[:cut]
    errors = _errors_apart(columns, recipe, earlier, counts)
    spread = learned(columns, _of_errors(recipe), earlier, counts, errors)
    least = max(LEAST * float(errors.mean()), float(np.finfo(np.float32).tiny))
    before, latest = learned(columns, recipe, earlier, counts), frame[cut:]
    scores = _errors(columns, recipe, before, latest) / expected_error(
        spread, least, encode(columns, latest)[recipe.features.all]
    )
    return Within(number, spread, conformal(scores, share), least), len(latest)


def expected_error(spread: Any, least: float, encoded: Any) -> np.ndarray:
    """The error that is to be expected of each row, above 0."""
    return np.maximum(spread.predict(encoded), least)


def conformal(scores: np.ndarray, share: float) -> float:
    """What a new score stays under with at least that probability, where it is exchangeable with these, shape (rows,).

    Raises:
        InputError: of so few even the largest says less.

    >>> conformal(np.arange(1.0, 20.0), 0.9), conformal(np.arange(1.0, 10.0), 0.9)
    (18.0, 9.0)
    """
    place = math.ceil((len(scores) + 1) * share - 1e-9)
    if place > len(scores):
        needed = math.ceil(share / (1 - share) - 1e-9)
        raise InputError(
            f"target.interval: {share:g} needs {needed:,} rows to calibrate on, a fifth of those that are learned from; "
            f"there are {len(scores):,}. Give more rows, a lower share, or null for no interval"
        )
    return float(np.sort(scores)[place - 1])


def _errors_apart(columns: Contract, recipe: Recipe, frame: Any, weights: np.ndarray) -> np.ndarray:
    """The absolute error of each row by a model of the other parts; rows of a part are neighbours in time."""
    parts = np.array_split(np.arange(len(frame)), FOLDS)
    found = []
    for own in parts:
        others = np.setdiff1d(np.arange(len(frame)), own)
        model = learned(columns, recipe, frame.iloc[others], weights[others])
        found.append(_errors(columns, recipe, model, frame.iloc[own]))
    return np.concatenate(found)


def _errors(columns: Contract, recipe: Recipe, model: Any, frame: Any) -> np.ndarray:
    target = problem_of(recipe.target).targets(columns, frame)
    return np.asarray(np.abs(target - model.predict(encode(columns, frame)[recipe.features.all])))


def _of_errors(recipe: Recipe) -> Recipe:
    """Trees, whatever the number comes from: how far off a line is bends more than a line does. Texts take a line."""
    name = first_estimator(recipe.target.problem, recipe.features.kinds.values())
    model = Model(estimator=name, parameters=SPREAD.get(name, {}), seed=recipe.model.seed)
    return recipe.model_copy(update={"model": model})
