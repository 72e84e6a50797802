"""A threshold other than one half: the odds of the positive class are told against those of the threshold.

A row at the threshold gets one half, so that whoever answers the more probable class answers by the threshold: every
protocol, the log, each metric and each comparison. Rows keep their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Moved:
    """A fitted pipeline of two classes that answers the positive one where its probability is above the threshold."""

    def __init__(self, model: Any, threshold: float) -> None:
        self.model, self.threshold = model, threshold

    @property
    def classes_(self) -> np.ndarray:
        """The numbers of the classes, as scikit-learn names them."""
        return np.asarray(self.model.classes_)

    def predict_proba(self, encoded: Any) -> np.ndarray:
        """Shape (rows, 2)."""
        return moved(self.model.predict_proba(encoded), self.threshold)


def moved(chances: np.ndarray, threshold: float) -> np.ndarray:
    """Probabilities (rows, 2), the positive class the second, moved so that its threshold becomes one half.

    >>> moved(np.array([[1.0, 0.0], [0.8, 0.2], [0.5, 0.5], [0.0, 1.0]]), 0.2).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.2, 0.8], [0.0, 1.0]]
    """
    weighed = chances.astype(np.float64) * [threshold, 1 - threshold]
    return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))
