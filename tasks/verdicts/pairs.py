"""The mean of bounded values, one after another: an interval that holds at all times, for any number of them.

The empirical Bernstein confidence sequence with predictable plug-in bets of Waudby-Smith and Ramdas, "Estimating means of
bounded random variables by betting" (JRSS B, 2024), theorem 2. Nothing is approximate; the values may depend on those before
them as long as their mean does not. For pairs, such as a shadow's loss minus the champion's on the same request, it needs no
second group, which is why a shadow tells so much sooner.
"""

from __future__ import annotations

import numpy as np

MOST = 0.5  # of a bet


def mean(values: np.ndarray, level: float, low: float = -1.0, high: float = 1.0) -> tuple[float, float, float] | None:
    """The mean with its lower and upper bound; None of no values.

    Args:
        values: shape (n,), in [low, high], in the order in which they became known.
        level: The chance that the interval ever misses the truth.
        low: The least that a value can be.
        high: The most.

    >>> dice = np.random.default_rng(0)
    >>> estimate, lower, upper = mean(dice.uniform(-0.2, 0.3, 4000), level=0.05)
    >>> 0.02 < lower < 0.05 < upper < 0.08
    True
    """
    if not len(values):
        return None
    centre, half = sequence((values[None] - low) / (high - low), level)
    estimate, wide = low + (high - low) * float(centre[0, -1]), (high - low) * float(half[0, -1])
    return float(values.mean()), max(low, estimate - wide), min(high, estimate + wide)


def sequence(unit: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Centre and half width behind each value, shape (runs, n), of values in [0, 1] of that shape."""
    n = np.arange(1, unit.shape[1] + 1)
    means = (0.5 + np.cumsum(unit, axis=1)) / (n + 1)
    squares = (0.25 + np.cumsum((unit - means) ** 2, axis=1)) / (n + 1)
    first = np.full((len(unit), 1), 0.5)
    mean_before = np.concatenate([first, means[:, :-1]], axis=1)
    variance_before = np.concatenate([first / 2, squares[:, :-1]], axis=1)
    bets = np.minimum(np.sqrt(2 * np.log(2 / level) / (variance_before * n * np.log(1 + n))), MOST)
    costs = 4 * (unit - mean_before) ** 2 * (-np.log1p(-bets) - bets) / 4
    total = np.cumsum(bets, axis=1)
    return np.cumsum(bets * unit, axis=1) / total, (np.log(2 / level) + np.cumsum(costs, axis=1)) / total
