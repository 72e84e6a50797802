"""Linear models: what a column adds is the weight of each of its numbers, times how far that lies from its mean.

These are Shapley values where the absent columns have their means (Štrumbelj & Kononenko, "Explaining prediction models and
individual predictions with feature contributions", 2014, equation 8).
"""

from __future__ import annotations

import numpy as np


class Weights:
    """One output of a linear model.

    Args:
        weights: Of each number of the encoding, shape (width,).
        means: Of each number over the rows that were learned from, shape (width,).
        owners: Of each number the place of its column, ascending, shape (width,).
    """

    def __init__(self, weights: np.ndarray, means: np.ndarray, owners: np.ndarray) -> None:
        self._weights, self._means = weights, means
        self._columns, self._starts = np.unique(owners, return_index=True)
        self._count = int(owners.max(initial=-1)) + 1
        self.base = float(weights @ means)

    def contributions(self, encoded: np.ndarray) -> np.ndarray:
        """Of each column, shape (rows, columns), for numbers of shape (rows, width)."""
        found = np.zeros((len(encoded), self._count))
        found[:, self._columns] = np.add.reduceat((encoded - self._means) * self._weights, self._starts, axis=1)
        return found
