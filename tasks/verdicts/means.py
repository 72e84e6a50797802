"""Means of two groups, shares of requests among them: an interval for their difference that holds at all times.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory
and asymptotic confidence sequences" (Annals of Statistics, 2024), theorem 2.2, with the variance of a difference of two
means: at n points the interval is wider than that of a z-test by what makes it hold at all n. It needs no bound of the
values, and is approximate while there are few. `judge.LEAST`, and the pseudo-points of bounded values, keep that from
mattering: errors that rise from zero, and values that are all alike, are not certain at once (`benchmarks.rollouts` counts
false alarms).
"""

from __future__ import annotations

import numpy as np

TIGHTEST = 5_000  # points of both groups at which the interval is as narrow as it can be for a single number of points
TAIL = 0.995  # values of a heavy tail beyond this quantile of both groups together count as that quantile


def difference(
    values: np.ndarray, others: np.ndarray, level: float, bounded: bool = False
) -> tuple[float, float, float] | None:
    """The difference of two means, first minus second, with its bounds; None where a group has fewer than two points.

    Args:
        values: shape (n,), independent: of requests, or `clusters` of the requests of one person.
        others: shape (m,).
        level: The chance that the interval ever misses the truth.
        bounded: The values lie in [0, 1], or those of a person do; a 0 and a 1 that nobody saw are added to what a group's
            spread is reckoned from.

    >>> dice = np.random.default_rng(0)
    >>> estimate, lower, upper = difference(dice.normal(1, 1, 500), dice.normal(0, 1, 500), level=0.05)
    >>> lower < 1 < upper, lower > 0.7
    (True, True)
    """
    if min(len(values), len(others)) < 2:
        return None
    estimate = float(values.mean() - others.mean())
    error = sum(spread(group, bounded) / len(group) for group in (values, others))
    half = float(np.sqrt(error) * widening(len(values) + len(others), level))
    return estimate, estimate - half, estimate + half


def spread(values: np.ndarray, bounded: bool) -> float:
    """The variance."""
    seen = np.concatenate([values, [0.0, 1.0]]) if bounded else values
    return float(np.var(seen, ddof=1))


def widening(points: int | np.ndarray, level: float) -> np.ndarray:
    """How many standard errors the interval has on each side, at so many points.

    >>> np.round(widening(np.array([100, 5_000, 1_000_000]), 0.05), 2)
    array([6.69, 3.04, 3.66])
    """
    tuned = (-2 * np.log(level) + np.log(-2 * np.log(level) + 1)) / TIGHTEST
    information = np.asarray(points) * tuned
    return np.sqrt(2 * (information + 1) / information * np.log(np.sqrt(information + 1) / level))


def trimmed(values: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both groups with the ends of a heavy tail moved in (winsorised) at the same two numbers.

    The numbers are those of both groups together, so that equal groups stay equal; what is compared then is the mean without
    its rarest `1 - TAIL` on either side.
    """
    low, high = np.quantile(np.concatenate([values, others]), [1 - TAIL, TAIL])
    return np.clip(values, low, high), np.clip(others, low, high)


def clusters(values: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """One point a key of values that belong together, shape (keys,): requests of one person are not independent.

    The mean over requests is a ratio, sum of sums over sum of counts; its points are those of the delta method (Deng,
    Knoblich and Lu, "Applying the delta method in metric analytics", 2018): mean + (sum_k - mean * count_k) / mean count.

    >>> clusters(np.array([1.0, 1.0, 1.0, 0.0]), np.array(["ann", "ann", "ann", "bob"]))
    array([1.125, 0.375])
    """
    _, places = np.unique(keys, return_inverse=True)
    return points_of(np.bincount(places, weights=values), np.bincount(places))


def points_of(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The same of the sums and counts of the keys. One of which nothing is known has the mean."""
    mean = sums.sum() / counts.sum()
    return np.asarray(mean + (sums - mean * counts) / counts.mean())
