"""Performance before labels come: confidence-based estimation, with an interval that its own past errors give.

A calibrated probability says how often a row is positive, so every row counts as that much of a positive and the rest of
a negative, and any metric of labels becomes its expectation. As NannyML's CBPE (Białek et al., "Estimating Model Performance
Under Covariate Shift Without Labels", 2024). It sees what a shift of the columns does; a change of what the columns mean,
which only labels show, it does not see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.problems.calibration import calibrator
from tasks.problems.chance import resamples, widening
from tasks.problems.metrics import BINARY

RESAMPLES = 200


@dataclass(frozen=True)
class Estimate:
    """What the metric is estimated to be, and the interval in which the labels will say it lies."""

    value: float
    lower: float
    upper: float


class Estimator:
    """Estimates a metric of windows from their scores, and knows how far it is off on windows of the holdout.

    `blocks` (rows,) are the holdout's days, or its rows. Each half of them is estimated by a calibrator of the other half,
    so that the errors are those of unseen rows.
    """

    def __init__(
        self, metric: str, target: np.ndarray, probability: np.ndarray, blocks: np.ndarray, draws: int, level: float
    ) -> None:
        self.metric, self.level = BINARY[metric], level
        self.calibrate = calibrator(target, probability)
        days = np.unique(blocks)
        halves = np.isin(blocks, days[: len(days) // 2]), np.isin(blocks, days[len(days) // 2 :])
        self.errors, self.values = [], []
        for one, other in (halves, halves[::-1]):
            if not (0 < target[one].sum() < one.sum()):
                continue
            chance = calibrator(target[one], probability[one])(probability[other])
            truth, scores = target[other].astype(np.float64), probability[other]
            realised, estimated = self.metric.resampled(truth, scores), self.metric.resampled(chance, scores)
            for rows in resamples(blocks[other], RESAMPLES // 2, draws, seed=2):
                self.values.append(estimated(rows))
                self.errors.append(realised(rows) - self.values[-1])
        self._observations = len(days)

    def estimate(self, probability: np.ndarray) -> Estimate:
        """Of a window's scores, shape (rows,)."""
        value = self.metric.value(self.calibrate(probability), probability, np.ones(len(probability)))
        errors = np.array(self.errors)
        errors = errors[~np.isnan(errors)]
        if not len(errors):
            return Estimate(value, float("nan"), float("nan"))
        tail = (1 - self.level) / 2
        wide, middle = widening(self._observations, tail), float(np.median(errors))
        low, high = np.quantile(errors, [tail, 1 - tail]) - middle
        return Estimate(value, value + middle + float(low) * wide, value + middle + float(high) * wide)
