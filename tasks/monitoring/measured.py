"""What labelled rows say of a metric: its value with an interval, and the bound that windows as good as others keep."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tasks.problems.chance import resamples, widening
from tasks.problems.metrics import Metric, greater_is_better

RESAMPLES, LEVEL = 400, 0.95


class Labelled(NamedTuple):
    """The rows of a window whose label has come: what they are, what was answered, how many they stand for, their days."""

    target: np.ndarray
    output: np.ndarray
    weight: np.ndarray
    blocks: np.ndarray


def measure(metric: Metric, known: Labelled) -> tuple[float, float, float]:
    """The metric of the labelled rows, weighted, and its interval of 95 % by resampling whole blocks."""
    if not len(known.target):
        return float("nan"), float("nan"), float("nan")
    value = metric.value(known.target, known.output, known.weight)
    draws = len(np.unique(known.blocks))
    resampled = metric.resampled(known.target, known.output, known.weight)
    drawn = [resampled(rows) for rows in resamples(known.blocks, RESAMPLES // 2, draws, seed=3)]
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return value, float(low), float(high)


def bound(metric: str, values: Any, rate: float, observations: int) -> float:
    """What a share `rate` of windows as good as these falls below; farther out the fewer days it rests on."""
    values = np.asarray(values)
    if np.isnan(values).all():
        return float("nan")
    quantile = rate if greater_is_better(metric) else 1 - rate
    middle = float(np.nanmedian(values))
    return middle + (float(np.nanquantile(values, quantile)) - middle) * widening(observations, rate)
