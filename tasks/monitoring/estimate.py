"""Performance before labels come: confidence-based estimation, with an interval that its own past errors give.

A calibrated probability says how often a row is positive, so every row counts as that much of a positive and the rest of
a negative, and any metric of labels becomes its expectation. As NannyML's CBPE (Białek et al., "Estimating Model Performance
Under Covariate Shift Without Labels", 2024). It sees what a shift of the columns does; a change of what the columns mean,
which only labels show, it does not see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tasks.problems.chance import resamples, widening
from tasks.problems.metrics import OF_ANSWERS, of_answers

ISOTONIC_ROWS = 1000  # with fewer, two parameters (Platt, 1999) are all that can be learned
RESAMPLES = 200


def expected_score(metric: str, chance: np.ndarray, probability: np.ndarray, weight: np.ndarray | None = None) -> float:
    """A metric where a row is positive with that `chance`; all of shape (rows,). With chances of 0 and 1 the plain metric.

    NaN where it is not defined, as `score` has it. Of a ratio (precision, F1) it is the ratio of expectations.

    >>> expected_score("roc_auc", np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.6, 0.9]))
    1.0
    >>> round(expected_score("brier", np.array([0.5, 0.5]), np.array([0.5, 0.5])), 2)
    0.25
    """
    weight = np.ones(len(chance)) if weight is None else weight
    positive, negative = chance * weight, (1 - chance) * weight
    if metric in {"roc_auc", "average_precision"}:
        if positive.sum() <= 0 or negative.sum() <= 0:
            return float("nan")
        return _ranking(metric, positive, negative, probability)
    if metric in OF_ANSWERS:
        answered = probability >= 0.5
        return of_answers(metric, float(positive[answered].sum()), float(weight[answered].sum()), float(positive.sum()))
    probability = probability.astype(np.float64)
    if metric == "accuracy":
        loss = np.where(probability >= 0.5, positive, negative)
    elif metric == "brier":
        loss = positive * (1 - probability) ** 2 + negative * probability**2
    else:
        clipped = np.clip(probability, 1e-15, 1 - 1e-15)
        loss = -(positive * np.log(clipped) + negative * np.log(1 - clipped))
    return float(loss.sum() / weight.sum())


def _ranking(metric: str, positive: np.ndarray, negative: np.ndarray, probability: np.ndarray) -> float:
    """AUC with ties counted half, or average precision, of fractional rows."""
    _, place = np.unique(-probability, return_inverse=True)
    return _ranking_by_place(metric, *(np.bincount(place, weights=part) for part in (positive, negative)))


def _ranking_by_place(metric: str, hits: np.ndarray, misses: np.ndarray) -> float:
    """Of the positives and negatives that share each score, shape (distinct scores,), the highest score first."""
    if metric == "roc_auc":
        below = misses.sum() - np.cumsum(misses)
        return float((hits * (below + misses / 2)).sum() / (hits.sum() * misses.sum()))
    caught = np.cumsum(hits)
    return float((hits * caught / (caught + np.cumsum(misses))).sum() / hits.sum())


def resampled_score(
    metric: str, chance: np.ndarray, probability: np.ndarray, weight: np.ndarray | None = None
) -> Callable[[np.ndarray], float]:
    """`expected_score` of any choice of these rows, as a function of row numbers, equal to the bit.

    The rows are ranked once, and a resample only counts: several times faster than ranking every resample anew.

    >>> chance, scores, rows = np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.2, 0.9]), np.array([2, 0, 1, 1])
    >>> resampled_score("roc_auc", chance, scores)(rows) == expected_score("roc_auc", chance[rows], scores[rows])
    True
    """
    weight = np.ones(len(chance)) if weight is None else weight
    if metric not in {"roc_auc", "average_precision"}:
        return lambda rows: expected_score(metric, chance[rows], probability[rows], weight[rows])
    positive, negative = chance * weight, (1 - chance) * weight
    _, place = np.unique(-probability, return_inverse=True)

    def scored(rows: np.ndarray) -> float:
        chosen, more, less = place[rows], positive[rows], negative[rows]
        if more.sum() <= 0 or less.sum() <= 0:
            return float("nan")
        drawn = np.bincount(chosen) > 0  # a score that was not drawn would change how sums are rounded
        return _ranking_by_place(metric, *(np.bincount(chosen, weights=part)[drawn] for part in (more, less)))

    return scored


def calibrator(target: np.ndarray, probability: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """How often rows with a score are positive, learned from held out rows; a function of scores of shape (rows,)."""
    if len(target) >= ISOTONIC_ROWS:
        from sklearn.isotonic import IsotonicRegression

        isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(probability, target)
        return lambda scores: np.asarray(isotonic.predict(scores))
    from sklearn.linear_model import LogisticRegression

    platt = LogisticRegression(C=1e6).fit(_logit(probability), target)
    return lambda scores: np.asarray(platt.predict_proba(_logit(scores))[:, 1])


def _logit(probability: np.ndarray) -> np.ndarray:
    clipped = np.clip(probability.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped)).reshape(-1, 1)


@dataclass(frozen=True)
class Estimate:
    """What the metric is estimated to be, and the interval in which the labels will say it lies."""

    value: float
    lower: float
    upper: float


class Estimator:
    """Estimates a metric of windows from their scores, and knows how far it is off on windows of the holdout.

    `blocks` (rows,) are the holdout's days, or its rows. Each half of them is estimated by a calibrator of the other half,
    so that the errors are those of unseen rows.
    """

    def __init__(
        self, metric: str, target: np.ndarray, probability: np.ndarray, blocks: np.ndarray, draws: int, level: float
    ) -> None:
        self.metric, self.level = metric, level
        self.calibrate = calibrator(target, probability)
        days = np.unique(blocks)
        halves = np.isin(blocks, days[: len(days) // 2]), np.isin(blocks, days[len(days) // 2 :])
        self.errors, self.values = [], []
        for one, other in (halves, halves[::-1]):
            if not (0 < target[one].sum() < one.sum()):
                continue
            chance = calibrator(target[one], probability[one])(probability[other])
            truth, scores = target[other].astype(np.float64), probability[other]
            realised, estimated = resampled_score(metric, truth, scores), resampled_score(metric, chance, scores)
            for rows in resamples(blocks[other], RESAMPLES // 2, draws, seed=2):
                self.values.append(estimated(rows))
                self.errors.append(realised(rows) - self.values[-1])
        self._observations = len(days)

    def estimate(self, probability: np.ndarray) -> Estimate:
        """Of a window's scores, shape (rows,)."""
        value = expected_score(self.metric, self.calibrate(probability), probability)
        errors = np.array(self.errors)
        errors = errors[~np.isnan(errors)]
        if not len(errors):
            return Estimate(value, float("nan"), float("nan"))
        tail = (1 - self.level) / 2
        wide, middle = widening(self._observations, tail), float(np.median(errors))
        low, high = np.quantile(errors, [tail, 1 - tail]) - middle
        return Estimate(value, value + middle + float(low) * wide, value + middle + float(high) * wide)
