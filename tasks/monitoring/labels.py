"""Labels come for some rows and not for others: by how much each of those that have one stands for all."""

from __future__ import annotations

import numpy as np

STRATA = 10


def label_weights(probability: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Weights (rows,) by which the labelled rows stand for all, where labels came for some scores more than for others.

    Post-stratification by deciles of the score (Holt & Smith, 1979).

    >>> label_weights(np.array([0.1] * 4 + [0.9] * 4), np.array([True, True, True, True, True, True, False, False])).tolist()
    [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    """
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, STRATA + 1)[1:-1], method="lower"))
    stratum = np.searchsorted(edges, probability, side="left")
    rows = np.bincount(stratum, minlength=len(edges) + 1)
    known = np.bincount(stratum, weights=labelled, minlength=len(edges) + 1)
    return (rows / np.maximum(known, 1))[stratum]
