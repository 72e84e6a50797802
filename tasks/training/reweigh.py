"""Reweighing: rows count so that the target depends on no group, and the estimator learns no such dependence.

Kamiran & Calders, "Data preprocessing techniques for classification without discrimination" (2012), algorithm 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def reweighed(columns: Any, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weights of rows, shape (rows,), each times how often its group would have its class by chance, over how often it
    has. What each group and each class weigh together stays as it is.

    `columns` is a pandas frame of the protected ones: rows that are alike in all of them are a group, and rows without a
    value are one too.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"race": ["x", "x", "x", "x", "y", "y"]})
    >>> reweighed(rows, np.array([1, 1, 1, 0, 0, 0]), np.ones(6)).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0, 0.5, 0.5]
    """
    group = columns.groupby(list(columns), dropna=False, sort=False).ngroup().to_numpy()
    _, label = np.unique(target, return_inverse=True)
    there = np.zeros((group.max() + 1, label.max() + 1))
    np.add.at(there, (group, label), weights)
    by_chance = np.outer(there.sum(axis=1), there.sum(axis=0)) / there.sum()
    return np.asarray(weights * by_chance[group, label] / there[group, label])
