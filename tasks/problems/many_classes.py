"""Metrics of several classes: `target` (rows,) is the number of a row's class, `probability` (rows, k) that of each class.

`weight` has shape (rows,). A mean over classes is one over those that have rows: of a class without any nothing is known.
"""

from __future__ import annotations

import numpy as np

from tasks.problems.two_classes import auc_of_places, ranked


def accuracy(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """The share of rows whose most probable class is theirs.

    >>> accuracy(np.array([0, 2]), np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]]), np.ones(2))
    0.5
    """
    return _mean(probability.argmax(axis=1) == target, weight)


def top_3_accuracy(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """The share of rows whose class is among the three most probable."""
    return _mean((probability > _own(target, probability)[:, None]).sum(axis=1) < 3, weight)


def log_loss(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """The mean of minus the logarithm of the probability of a row's class.

    >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]]), np.ones(2)), 2)
    0.69
    """
    return _mean(-np.log(np.clip(_own(target, probability).astype(np.float64), 1e-15, 1)), weight)


def balanced_accuracy(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """The mean of the classes' recalls: a rare class counts as much as a frequent one."""
    hits, _, rows = _counts(target, probability, weight)
    return float((hits[rows > 0] / rows[rows > 0]).mean()) if (rows > 0).any() else float("nan")


def f1_macro(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """The mean of the classes' F1."""
    hits, answered, rows = _counts(target, probability, weight)
    known = rows > 0
    return float((2 * hits[known] / (answered[known] + rows[known])).mean()) if known.any() else float("nan")


def roc_auc_ovr(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """The mean of the AUC of each class against the rest; NaN where all rows are of one class."""
    everything = np.arange(len(target))
    scores = [
        ranked(auc_of_places)((target == one) * 1.0, probability[:, one], weight)(everything) for one in np.unique(target)
    ]
    return float(np.mean(scores)) if scores else float("nan")


def _own(target: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """The probability of each row's class."""
    return probability[np.arange(len(target)), target.astype(np.int64)]


def _counts(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each class, shape (k,): rows answered so that are, rows answered so, rows that are."""
    k, truth, answer = probability.shape[1], target.astype(np.int64), probability.argmax(axis=1)
    hits = np.bincount(truth, weights=weight * (truth == answer), minlength=k)
    return hits, np.bincount(answer, weights=weight, minlength=k), np.bincount(truth, weights=weight, minlength=k)


def _mean(values: np.ndarray, weight: np.ndarray) -> float:
    whole = weight.sum()
    return float((values * weight).sum() / whole) if whole > 0 else float("nan")
