"""Numbers of versions on the same resamples: their differences are paired, and their intervals those of a verdict."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tasks.comparing.values import Estimate
from tasks.problems.chance import margin, resamples

TWO_SIDED = 0.975

Statistic = Callable[[np.ndarray], float]


def drawn(statistics: dict[str, Statistic], blocks: np.ndarray, times: int) -> dict[str, np.ndarray]:
    """Each version's number on the same resamples, shape (times,)."""
    rows = resamples(blocks, times, len(np.unique(blocks)), seed=0)
    found = np.array([[statistic(each) for statistic in statistics.values()] for each in rows])
    return dict(zip(statistics, found.T, strict=True))


def estimate(value: float, drawn: np.ndarray, count: int) -> Estimate | None:
    """With the interval that a verdict's bound is one end of; None where there is one block, whose spread nobody knows."""
    if count < 2 or np.isnan(drawn).all():
        return None
    half = margin(drawn, count, TWO_SIDED)
    return Estimate(value=value, lower=value - half, upper=value + half)
