"""Metrics of two classes: `target` is 1 or 0 (weighted ones also take a chance), `probability` that of the positive class.

All arrays have shape (rows,). NaN where a metric is not defined: ranking needs both classes, precision a positive answer,
recall a positive row. Of a ratio with chances (precision, F1) it is the ratio of expectations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def roc_auc(target: np.ndarray, probability: np.ndarray) -> float:
    """Area under the ROC curve as the Mann-Whitney statistic, ties counted half.

    Equal to scikit-learn's to rounding and many times faster, which resampling feels. Hanley & McNeil (1982).

    >>> roc_auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.1, 0.2, 0.9]))
    0.625
    """
    if not 0 < target.sum() < len(target):
        return float("nan")
    positive = target == 1
    low, high = np.sort(probability[~positive]), np.sort(probability[positive])
    twice = np.searchsorted(low, high, "left").sum() + np.searchsorted(low, high, "right").sum()
    return float(twice / 2 / (len(low) * len(high)))


def average_precision(target: np.ndarray, probability: np.ndarray) -> float:
    """scikit-learn's."""
    from sklearn.metrics import average_precision_score

    if not 0 < target.sum() < len(target):
        return float("nan")
    return float(average_precision_score(target, probability))


def plain_log_loss(target: np.ndarray, probability: np.ndarray) -> float:
    """scikit-learn's."""
    from sklearn import metrics

    return float(metrics.log_loss(target, probability.astype(np.float64), labels=[0, 1]))


def ranked(
    of_places: Callable[[np.ndarray, np.ndarray], float],
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], Callable[[np.ndarray], float]]:
    """A ranking metric of any choice of rows: they are ranked once, and a resample only counts.

    `of_places` takes the positives and the negatives that share each score, shape (distinct scores,), the highest first.
    """

    def prepare(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> Callable[[np.ndarray], float]:
        positive, negative = target * weight, (1 - target) * weight
        _, place = np.unique(-probability, return_inverse=True)

        def scored(rows: np.ndarray) -> float:
            chosen, more, less = place[rows], positive[rows], negative[rows]
            if more.sum() <= 0 or less.sum() <= 0:
                return float("nan")
            drawn = np.bincount(chosen) > 0  # a score that was not drawn would change how sums are rounded
            return of_places(*(np.bincount(chosen, weights=part)[drawn] for part in (more, less)))

        return scored

    return prepare


def auc_of_places(hits: np.ndarray, misses: np.ndarray) -> float:
    """AUC with ties counted half."""
    below = misses.sum() - np.cumsum(misses)
    return float((hits * (below + misses / 2)).sum() / (hits.sum() * misses.sum()))


def precision_of_places(hits: np.ndarray, misses: np.ndarray) -> float:
    """Average precision."""
    caught = np.cumsum(hits)
    return float((hits * caught / (caught + np.cumsum(misses))).sum() / hits.sum())


def accuracy(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """The share of rows that are on the side of a half where their probability is."""
    right = np.where(probability.astype(np.float64) >= 0.5, target * weight, (1 - target) * weight)
    return float(right.sum() / weight.sum())


def precision(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """Of the rows answered positive, at a probability of a half, the share that are."""
    hits, answered, _ = _answered(target, probability, weight)
    return hits / answered if answered > 0 else float("nan")


def recall(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """Of the positive rows the share that are answered so."""
    hits, _, positive = _answered(target, probability, weight)
    return hits / positive if positive > 0 else float("nan")


def f1(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """The harmonic mean of precision and recall.

    >>> f1(np.array([1, 1, 0, 1]), np.array([0.9, 0.8, 0.7, 0.2]), np.ones(4))
    0.6666666666666666
    """
    hits, answered, positive = _answered(target, probability, weight)
    whole = (answered + positive) / 2
    return hits / whole if whole > 0 else float("nan")


def brier(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """The mean squared error of the probability."""
    probability = probability.astype(np.float64)
    loss = target * weight * (1 - probability) ** 2 + (1 - target) * weight * probability**2
    return float(loss.sum() / weight.sum())


def log_loss(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """Of a coin 0.69."""
    clipped = np.clip(probability.astype(np.float64), 1e-15, 1 - 1e-15)
    loss = -(target * weight * np.log(clipped) + (1 - target) * weight * np.log(1 - clipped))
    return float(loss.sum() / weight.sum())


def _answered(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> tuple[float, float, float]:
    """Rows answered positive that are, rows answered so, rows that are."""
    answered, positive = probability >= 0.5, target * weight
    return float(positive[answered].sum()), float(weight[answered].sum()), float(positive.sum())
