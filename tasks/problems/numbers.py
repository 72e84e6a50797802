"""Metrics of numbers: what rows are, what was answered, and how much each counts, all of shape (rows,).

Where an interval was answered too, `value` has shape (rows, 3): the number, and both ends. Where no label is known, `target`
(rows, m) holds values that are equally likely, and a metric becomes its expectation.

There is no mean of relative errors: it is not defined where a row is 0, and near it one row decides.
"""

from __future__ import annotations

import numpy as np


def answered(value: np.ndarray) -> np.ndarray:
    """The numbers, shape (rows,), of answers with or without an interval."""
    return value if value.ndim == 1 else value[:, 0]


def coverage(target: np.ndarray, value: np.ndarray, weight: np.ndarray) -> float:
    """The share of rows within their interval, of those that have one; NaN where none has.

    >>> coverage(np.array([1.0, 4.0]), np.array([[1.5, 0.5, 2.0], [2.0, 1.0, 3.0]]), np.ones(2))
    0.5
    """
    if value.ndim == 1:
        return float("nan")
    target, value, weight = _each(target, value, weight)
    return weighted_mean(within(target, value), weight * ~np.isnan(value[:, 1]))


def within(target: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Which rows lie within their interval, shape (rows,), of answers (rows, 3); none whose ends are not known."""
    return np.asarray((value[:, 1] <= target) & (target <= value[:, 2]))


def absolute_error(target: np.ndarray, value: np.ndarray) -> np.ndarray:
    """How far off each answer is, shape (rows,), in the target's unit.

    >>> absolute_error(np.array([1.0, 4.0]), np.array([2.0, 2.0]))
    array([1., 2.])
    """
    if target.ndim == 1:
        return np.abs(answered(value) - target)
    return np.asarray(np.abs(answered(value)[:, None] - target).mean(axis=1))


def rmse(target: np.ndarray, value: np.ndarray, weight: np.ndarray) -> float:
    """The root of the mean squared error, in the target's unit; large errors count more."""
    target, value, weight = _each(target, value, weight)
    return float(np.sqrt(weighted_mean((answered(value) - target) ** 2, weight)))


def r2(target: np.ndarray, value: np.ndarray, weight: np.ndarray) -> float:
    """The share of the target's variance that the answers explain; NaN where it has none.

    >>> round(r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0]), np.ones(3)), 6)
    0.5
    """
    target, value, weight = _each(target, value, weight)
    spread = weighted_mean((target - weighted_mean(target, weight)) ** 2, weight)
    return 1 - weighted_mean((answered(value) - target) ** 2, weight) / spread if spread > 0 else float("nan")


def median_absolute_error(target: np.ndarray, value: np.ndarray, weight: np.ndarray) -> float:
    """The error that half of the rows stay under; a few wild ones do not move it.

    >>> median_absolute_error(np.zeros(3), np.array([1.0, -2.0, 90.0]), np.ones(3))
    2.0
    """
    if not len(target):
        return float("nan")
    target, value, weight = _each(target, value, weight)
    errors = np.abs(answered(value) - target)
    order = np.argsort(errors, kind="stable")
    upto = np.cumsum(weight[order])
    return float(errors[order[np.searchsorted(upto, upto[-1] / 2)]])


def weighted_mean(values: np.ndarray, weight: np.ndarray) -> float:
    """NaN where nothing counts.

    >>> weighted_mean(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    1.75
    """
    whole = weight.sum()
    return float((values * weight).sum() / whole) if whole > 0 else float("nan")


def _each(target: np.ndarray, value: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A row for each value that a target may have, counted for its share."""
    if target.ndim == 1:
        return target, value, weight
    values = target.shape[1]
    return target.ravel(), np.repeat(value, values, axis=0), np.repeat(weight / values, values)
