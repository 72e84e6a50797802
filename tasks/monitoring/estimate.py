"""Performance before labels come: confidence-based estimation, with an interval that its own past errors give.

A calibrated probability says how often a row is positive, so every row counts as that much of a positive and the rest of
a negative, and any metric of labels becomes its expectation. As NannyML's CBPE (Białek et al., "Estimating Model Performance
Under Covariate Shift Without Labels", 2024). Of several classes and of numbers with intervals the problem says what rows may
turn out to be (`Problem.chances`). It sees what a shift of the columns does; a change of what the columns mean, which only
labels show, it does not see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tasks.problems.chance import resamples, widening
from tasks.problems.metrics import Metric
from tasks.problems.problem import Problem

RESAMPLES = 200
Chances = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Estimate:
    """What the metric is estimated to be, and the interval in which the labels will say it lies."""

    value: float
    lower: float
    upper: float


class Estimator:
    """Estimates a metric of windows from what was answered, and knows how far it is off on windows of the holdout.

    `chances` is what the whole holdout says rows may turn out to be (`Problem.chances`). `blocks` (rows,) are its days, or
    its rows. Each half of them is estimated by what the other half says, so that the errors are those of unseen rows.
    """

    def __init__(
        self,
        problem: Problem,
        metric: Metric,
        chances: Chances,
        holdout: tuple[np.ndarray, np.ndarray],
        blocks: np.ndarray,
        draws: int,
        level: float,
    ) -> None:
        self.metric, self.level, self.chances = metric, level, chances
        target, output = holdout
        days = np.unique(blocks)
        halves = np.isin(blocks, days[: len(days) // 2]), np.isin(blocks, days[len(days) // 2 :])
        self.errors, self.values = [], []
        for one, other in (halves, halves[::-1]):
            learned = problem.chances(target[one], output[one]) if problem.enough(target[one]) else None
            if learned is None:
                continue
            realised = metric.resampled(target[other].astype(np.float64), output[other])
            estimated = metric.resampled(learned(output[other]), output[other])
            for rows in resamples(blocks[other], RESAMPLES // 2, draws, seed=2):
                self.values.append(estimated(rows))
                self.errors.append((realised(rows) - self.values[-1]) / metric.scale(self.values[-1]))
        self._observations = len(days)

    def estimate(self, output: np.ndarray) -> Estimate:
        """Of what was answered in a window, shape (rows,) or (rows, k)."""
        value = self.metric.value(self.chances(output), output, np.ones(len(output)))
        errors = np.array(self.errors)
        errors = errors[~np.isnan(errors)]
        if not len(errors):
            return Estimate(value, float("nan"), float("nan"))
        tail = (1 - self.level) / 2
        wide, middle = widening(self._observations, tail), float(np.median(errors))
        low, high = np.quantile(errors, [tail, 1 - tail]) - middle
        scale = self.metric.scale(value)
        ends = (value + scale * (middle + float(end) * wide) for end in (low, high))
        return Estimate(value, *ends)
