"""Intervals: of a rate or a mean in one group, and of the difference and the ratio of two groups.

The interval of two comes from those of each ("MOVER": Zou & Donner, "Construction of confidence limits about effect
measures", 2008). With Wilson's for the rates the difference is Newcombe's hybrid score interval ("Interval estimation for
the difference between independent proportions", 1998, method 10), and the ratio that of Donner & Zou ("Closed-form
confidence intervals for functions of the normal mean and standard deviation", 2012). Both are closed, and need neither
resamples nor large groups. Rows count as independent.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tasks.problems.chance import quantile


class Estimate(NamedTuple):
    """A number and its interval."""

    value: float
    lower: float
    upper: float


def rate(events: int, rows: int, confidence: float) -> Estimate:
    """A share of rows, by Wilson's score interval ("Probable inference, the law of succession", 1927).

    >>> [round(each, 3) for each in rate(56, 70, 0.95)]
    [0.8, 0.692, 0.877]
    """
    from scipy.special import ndtri

    z, share = float(ndtri((1 + confidence) / 2)), events / rows
    centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * math.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return Estimate(share, max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share)))


def mean(values: np.ndarray, confidence: float) -> Estimate:
    """The mean of numbers that are not negative, shape (rows,) with two rows or more, by Student's t.

    >>> [round(each, 3) for each in mean(np.array([1.0, 2.0, 3.0]), 0.95)]
    [2.0, 0.0, 4.484]
    """
    value = float(values.mean())
    half = quantile((1 + confidence) / 2, len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Estimate(value, max(0.0, value - half), value + half)


def difference(one: Estimate, other: Estimate) -> Estimate:
    """One less the other. The example is Newcombe's first: 56 of 70 and 48 of 80.

    >>> [round(each, 4) for each in difference(rate(56, 70, 0.95), rate(48, 80, 0.95))]
    [0.2, 0.0524, 0.3339]
    """
    value = one.value - other.value
    down = math.hypot(one.value - one.lower, other.upper - other.value)
    up = math.hypot(one.upper - one.value, other.value - other.lower)
    return Estimate(value, value - down, value + up)


def ratio(one: Estimate, other: Estimate) -> Estimate:
    """One over the other, of numbers that are not negative; the upper end is infinite where the other may be nothing.

    Turned around it is one over itself, so it does not matter which group comes first.

    >>> [round(each, 3) for each in ratio(rate(56, 70, 0.95), rate(48, 80, 0.95))]
    [1.333, 1.078, 1.663]
    """
    lower = _least_ratio(one, other)
    turned = _least_ratio(other, one)
    value = one.value / other.value if other.value else (math.inf if one.value else 1.0)
    return Estimate(value, lower, 1 / turned if turned else math.inf)


def _least_ratio(one: Estimate, other: Estimate) -> float:
    """The lower end; in a form without a division by what may be nothing."""
    product = one.value * other.value
    low, high = one.lower * (2 * one.value - one.lower), other.upper * (2 * other.value - other.upper)
    below = product + math.sqrt(max(product**2 - low * high, 0.0))
    return low / below if below else 0.0
