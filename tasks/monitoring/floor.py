"""A floor that rises: a model is held to what it has shown since it serves, where that is more than its holdout said.

The holdout says what the candidate did on the newest rows, in months that may have been the hardest of the year and without
having learned from them. A model that does better afterwards and then falls back never comes under the floor of such a
holdout. So each labelled window of a version that held its floor adds to what is known of it, and a window is compared with
all of them too. Both floors share the rate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.problems.chance import quantile
from tasks.problems.metrics import gain, greater_is_better

LEAST = 8  # days of a window, or windows where they are shorter, that say how much it varies
Interval = tuple[float, float, float]  # the value, and the interval of 95 % that resampled days give


def raised(metric: str, now: Interval, earlier: Sequence[Interval], days: int, rate: float) -> tuple[float, float]:
    """The floor that earlier windows set, and their mean, which is expected; both NaN where too little is known.

    Windows of few days have intervals that say nothing; how much those vary is seen from one to the next.

    Args:
        metric: Which it is.
        now: Of the window.
        earlier: Of each window before it that the same version answered and that held its floor; at least one.
        days: On how many days the intervals rest, at least.
        rate: The share of windows without change that may fall under it.

    >>> floor, expected = raised("brier", (0.18, 0.15, 0.21), [(0.10, 0.08, 0.12), (0.11, 0.09, 0.13)], 60, 0.001)
    >>> round(floor, 3), round(expected, 3)
    (0.16, 0.105)
    """
    values = np.array([value for value, _, _ in earlier])
    if days >= LEAST:
        errors = np.array([_error(each) for each in earlier])
        precision = 1 / errors**2
        expected, error = np.average(values, weights=precision), np.sqrt(_error(now) ** 2 + 1 / precision.sum())
    elif len(values) >= LEAST:
        days, expected = len(values), values.mean()
        error = values.std(ddof=1) * np.sqrt(1 + 1 / days)
    else:
        return float("nan"), float("nan")
    reach = error * quantile(1 - rate, days - 1)
    return float(expected - reach if greater_is_better(metric) else expected + reach), float(expected)


def higher(metric: str, one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Of two floors with what is expected the one that is harder to keep; one that is not known is none.

    >>> higher("roc_auc", (0.6, 0.7), (0.65, 0.72)), higher("brier", (0.2, 0.1), (float("nan"), 0.1))
    ((0.65, 0.72), (0.2, 0.1))
    """
    if np.isnan(other[0]) or gain(metric, one[0], other[0]) >= 0:
        return one
    return other


def _error(interval: Interval) -> float:
    _, lower, upper = interval
    return max((upper - lower) / (2 * quantile(0.975, np.inf)), 1e-6)
