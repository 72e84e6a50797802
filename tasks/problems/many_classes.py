"""Metrics of several classes: `target` (rows,) is the number of a row's class, `probability` (rows, k) that of each class.

`weight` has shape (rows,). A mean over classes is one over those that have rows: of a class without any nothing is known.
Where no label is known, `target` (rows, k) holds the chance of each class, and a metric becomes its expectation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.problems.two_classes import auc_of_places, ranked


def right(target: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Whether each row's class is the most probable one, shape (rows,); the mean is the accuracy.

    >>> right(np.array([0, 2]), np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]]))
    array([1., 0.])
    """
    return _share(target, probability.argmax(axis=1)).astype(np.float64)


def among_three(target: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Whether each row's class is among the three most probable, shape (rows,)."""
    third = -np.partition(-probability, min(3, probability.shape[1]) - 1, axis=1)[:, min(3, probability.shape[1]) - 1]
    if target.ndim == 1:
        return (_own(target, probability) >= third).astype(np.float64)
    return np.asarray((target * (probability >= third[:, None])).sum(axis=1))


def surprise(target: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Minus the logarithm of the probability of each row's class, shape (rows,); the mean is the log loss.

    >>> surprise(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])).round(2)
    array([0.69, 0.69])
    """
    if target.ndim == 1:
        return -np.log(np.clip(_own(target, probability).astype(np.float64), 1e-15, 1))
    return -(target * np.log(np.clip(probability.astype(np.float64), 1e-15, 1))).sum(axis=1)


def balanced_accuracy(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """The mean of the classes' recalls: a rare class counts as much as a frequent one."""
    hits, _, rows = _counts(target, probability, weight)
    known = _known(target, rows)
    return float((hits[known] / rows[known]).mean()) if known.any() else float("nan")


def f1_macro(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """The mean of the classes' F1."""
    hits, answered, rows = _counts(target, probability, weight)
    known = _known(target, rows)
    return float((2 * hits[known] / (answered[known] + rows[known])).mean()) if known.any() else float("nan")


def roc_auc_ovr(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> float:
    """The mean of the AUC of each class against the rest; NaN where all rows are of one class."""
    everything = np.arange(len(target))
    if target.ndim == 1:
        chances = {one: (target == one) * 1.0 for one in np.unique(target.astype(np.int64))}
    else:
        chances = _expected(target, weight)
    scores = [ranked(auc_of_places)(chance, probability[:, one], weight)(everything) for one, chance in chances.items()]
    return float(np.mean(scores)) if scores else float("nan")


def _expected(target: np.ndarray, weight: np.ndarray) -> dict[Any, np.ndarray]:
    """The chances, shape (rows,), of each class of which at least half a row is expected."""
    return {one: target[:, one] for one in np.flatnonzero(_known(target, weight @ target))}


def _known(target: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which classes have rows, shape (k,); of chances, those of which at least half a row is expected."""
    return np.asarray(rows > 0 if target.ndim == 1 else rows >= 0.5)


def _share(target: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """How much of each row is of the class that is answered, shape (rows,): 0 or 1, or a chance."""
    return answer == target if target.ndim == 1 else target[np.arange(len(target)), answer]


def _own(target: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """The probability of each row's class."""
    return probability[np.arange(len(target)), target.astype(np.int64)]


def _counts(target: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each class, shape (k,): rows answered so that are, rows answered so, rows that are."""
    k, answer = probability.shape[1], probability.argmax(axis=1)
    hits = np.bincount(answer, weights=weight * _share(target, answer), minlength=k)
    rows = np.bincount(target.astype(np.int64), weights=weight, minlength=k) if target.ndim == 1 else weight @ target
    return hits, np.bincount(answer, weights=weight, minlength=k), rows
