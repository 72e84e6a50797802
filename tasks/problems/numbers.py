"""Metrics of numbers: what rows are, what was answered, and how much each counts, all of shape (rows,).

Where an interval was answered too, `value` has shape (rows, 3): the number, and both ends.

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
    low, high = value[:, 1], value[:, 2]
    return _mean((low <= target) & (target <= high), weight * ~np.isnan(low))


def mae(target: np.ndarray, value: np.ndarray, weight: np.ndarray) -> float:
    """The mean absolute error, in the target's unit.

    >>> mae(np.array([1.0, 4.0]), np.array([2.0, 2.0]), np.array([1.0, 3.0]))
    1.75
    """
    return _mean(np.abs(answered(value) - target), weight)


def rmse(target: np.ndarray, value: np.ndarray, weight: np.ndarray) -> float:
    """The root of the mean squared error, in the target's unit; large errors count more."""
    return float(np.sqrt(_mean((answered(value) - target) ** 2, weight)))


def r2(target: np.ndarray, value: np.ndarray, weight: np.ndarray) -> float:
    """The share of the target's variance that the answers explain; NaN where it has none.

    >>> round(r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0]), np.ones(3)), 6)
    0.5
    """
    spread = _mean((target - _mean(target, weight)) ** 2, weight)
    return 1 - _mean((answered(value) - target) ** 2, weight) / spread if spread > 0 else float("nan")


def median_absolute_error(target: np.ndarray, value: np.ndarray, weight: np.ndarray) -> float:
    """The error that half of the rows stay under; a few wild ones do not move it.

    >>> median_absolute_error(np.zeros(3), np.array([1.0, -2.0, 90.0]), np.ones(3))
    2.0
    """
    if not len(target):
        return float("nan")
    errors = np.abs(answered(value) - target)
    order = np.argsort(errors, kind="stable")
    upto = np.cumsum(weight[order])
    return float(errors[order[np.searchsorted(upto, upto[-1] / 2)]])


def _mean(values: np.ndarray, weight: np.ndarray) -> float:
    whole = weight.sum()
    return float((values * weight).sum() / whole) if whole > 0 else float("nan")
