"""Calibration: probabilities that say how often rows are of a class, learned from scores of rows that no model knew.

Every row is scored by a model of the other parts, a curve from scores to probabilities is fitted to these, and then stands
behind the model of all rows (cross-fitting, as scikit-learn's `CalibratedClassifierCV(ensemble=False)` does). Rows of a part
are neighbours in time, and no row of the holdout is among them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from configs.errors import InputError
from configs.schema import Recipe
from serving.contract.contract import Contract
from tasks.data.frames import contract_of, encode
from tasks.data.values import Snapshot
from tasks.problems.problem import problem_of
from tasks.training.fit import learned, taken_rows

FOLDS = 5
LEAST = -30.0  # of the logarithm of a probability
KNOTS = 100  # of a curve, at most
STEEPEST = 10.0  # of a curve, over the largest score: what 32 bits lose of a score must not show in a probability


class Sigmoid:
    """A logistic curve a score (Platt, "Probabilistic Outputs for Support Vector Machines", 1999), shape (columns,)."""

    def __init__(self, slope: np.ndarray, shift: np.ndarray) -> None:
        self.slope, self.shift = slope, shift

    def of(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities of scores, both of shape (rows, columns)."""
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-(self.slope * scores + self.shift))))


class Isotonic:
    """A curve that never falls (Zadrozny & Elkan, 2002): straight between `knots`, where it has `values`, both (n,)."""

    def __init__(self, knots: np.ndarray, values: np.ndarray) -> None:
        self.knots, self.values = knots, values

    def of(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities of scores, both of shape (rows, 1)."""
        return np.interp(scores, self.knots, self.values)


class Calibrated:
    """A fitted pipeline and the curve that makes probabilities of its scores."""

    def __init__(self, model: Any, curve: Sigmoid | Isotonic, classes: int) -> None:
        self.model, self.curve, self.classes = model, curve, classes

    @property
    def classes_(self) -> np.ndarray:
        """The numbers of the classes, as scikit-learn names them."""
        return np.asarray(self.model.classes_)

    def predict_proba(self, encoded: Any) -> np.ndarray:
        """Shape (rows, k): of two classes by the second's curve, of several by each class's, as shares of their sum."""
        chances = self.curve.of(scores_of(self.model, encoded, self.classes))
        if self.classes == 2:
            return np.concatenate([1 - chances, chances], axis=1)
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))


def with_calibration(model: Any, snapshot: Snapshot, rows: int, contract: str, recipe: Recipe) -> Calibrated:
    """A pipeline fitted on rows [0, rows), with calibrated probabilities.

    Raises:
        InputError: a part holds all rows of a class, so that a model of the others has one class only.
    """
    columns, problem = contract_of(contract), problem_of(recipe.target)
    frame, weights = taken_rows(snapshot, rows, recipe)
    target, scores = problem.targets(columns, frame), []
    for own in np.array_split(np.arange(len(frame)), FOLDS):
        others = np.setdiff1d(np.arange(len(frame)), own)
        if not problem.enough(target[others]):
            raise InputError(
                f"model.calibration: rows {own[0]:,} to {own[-1]:,} hold all of a class of {recipe.target.column!r}, and "
                "nobody can say how often rows that a model did not know are of it; leave the calibration out"
            )
        apart = learned(columns, recipe, frame.iloc[others], weights[others])
        scores.append(_scores(columns, recipe, apart, frame.iloc[own]))
    curve = CURVES[str(recipe.model.calibration)](np.concatenate(scores), target, weights)
    return Calibrated(model, curve, len(columns.classes))


def scores_of(model: Any, encoded: Any, classes: int) -> np.ndarray:
    """Of two classes the log odds of the second, shape (rows, 1); of several the logarithm of each probability (rows, k)."""
    from scipy.special import logsumexp

    found = model.decision_function(encoded)
    if classes == 2:
        return np.asarray(found.reshape(-1, 1))
    margins = np.column_stack([np.zeros(len(found)), found]) if found.ndim == 1 else found
    scores = np.full((len(found), classes), LEAST)
    scores[:, model.classes_] = np.maximum(margins - logsumexp(margins, axis=1, keepdims=True), LEAST)
    return scores


def _scores(columns: Contract, recipe: Recipe, model: Any, frame: Any) -> np.ndarray:
    return scores_of(model, encode(columns, frame)[recipe.features.all], len(columns.classes))


def sigmoid(scores: np.ndarray, target: np.ndarray, weights: np.ndarray) -> Sigmoid:
    """Of each column of scores (rows, columns) the curve of its class, with Platt's targets, which no row can be sure of.

    Args:
        scores: As `scores_of` has them.
        target: The number of each row's class, shape (rows,).
        weights: How much each row counts, shape (rows,).
    """
    from sklearn.linear_model import LogisticRegression

    columns = scores.shape[1]
    slopes, shifts = np.zeros(columns), np.zeros(columns)
    for place in range(columns):
        own = target == (1 if columns == 1 else place)
        chance = np.where(own, (own.sum() + 1) / (own.sum() + 2), 1 / ((~own).sum() + 2))
        counts = np.concatenate([weights * chance, weights * (1 - chance)])
        twice, sides = np.tile(scores[:, [place]], (2, 1)), np.repeat([1, 0], len(scores))
        fitted = LogisticRegression(C=1e6, max_iter=1000).fit(twice, sides, sample_weight=counts)
        slope, shift = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
        slopes[place] = min(slope, 4 * _steepest(scores))
        shifts[place] = shift * slopes[place] / slope if slope else shift  # what is even odds stays so
    return Sigmoid(slopes, shifts)


def isotonic(scores: np.ndarray, target: np.ndarray, weights: np.ndarray) -> Isotonic:
    """The curve of log odds (rows, 1) that never falls, nowhere steeper than 32 bits can follow, and never quite 0 or 1.

    >>> scores = np.repeat(np.arange(-3.0, 4.0), 100)[:, None]
    >>> curve = isotonic(scores, (np.arange(700) % 100 < 50 + 10 * scores[:, 0]).astype(int), np.ones(700))
    >>> curve.of(np.array([[-9.0], [0.0], [2.0]])).round(2).ravel().tolist()
    [0.2, 0.5, 0.7]
    """
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression().fit(scores[:, 0], target, sample_weight=weights)
    knots, values = fitted.X_thresholds_.astype(np.float64), fitted.y_thresholds_.astype(np.float64)
    kept = np.unique(np.linspace(0, len(knots) - 1, min(KNOTS, len(knots))).round().astype(int))
    knots, values = knots[kept], np.clip(values[kept], 1 / (len(target) + 2), 1 - 1 / (len(target) + 2))
    line = _steepest(scores) * knots
    below, above = np.minimum.accumulate(values - line), np.maximum.accumulate((values - line)[::-1])[::-1]
    return Isotonic(knots, (below + above) / 2 + line)  # between the two curves of that slope that enclose it


def _steepest(scores: np.ndarray) -> float:
    """The steepest slope of a probability: 32 bits know a score to seven digits, so the larger it is the less exactly.

    Never under 1, four times the steepest slope of a calibrated score: a few wild ones must not flatten the curve of all.
    """
    return max(1.0, STEEPEST / max(float(np.abs(scores).max()), 1e-6))


CURVES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Sigmoid | Isotonic]] = {
    "sigmoid": sigmoid,
    "isotonic": isotonic,
}
