"""A scaler whose means float32 has exactly, so that a graph takes away just what training took away."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler


class ExactScaler(StandardScaler):
    """scikit-learn's, for numbers that vary little around a large mean, as days do.

    A graph holds the mean in 32 bits. Rounded there alone, 9496.3 would be 0.0004 off: much, where days differ by few.
    """

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> ExactScaler:
        """Fit, and round the means."""
        super().partial_fit(X, y, sample_weight)
        exact: np.ndarray = vars(self)["mean_"].astype(np.float32)
        self.mean_ = exact.astype(np.float64)
        return self

    def plain(self) -> StandardScaler:
        """The same as scikit-learn's own, which converts."""
        scaler = StandardScaler()
        vars(scaler).update(vars(self))
        return scaler


def scaled(fitted: Any, place: int, width: int) -> dict[str, Any]:
    """What a fitted imputer and the scaler behind it do to the numbers of one column: fields of `Encoded`."""
    at = slice(place * width, (place + 1) * width)
    imputer, scaler = fitted[-2], fitted[-1]
    return {
        "how": "numbers",
        "fill": imputer.statistics_[at].tolist(),
        "center": scaler.mean_[at].tolist(),
        "scale": scaler.scale_[at].tolist(),
    }
