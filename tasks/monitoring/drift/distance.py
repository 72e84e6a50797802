"""Distances of windows from the reference, all from counts: one array operation for thousands of windows."""

from __future__ import annotations

import numpy as np

from tasks.monitoring.drift.layout import Layout


def tests_of(layout: Layout) -> list[int]:
    """The column of every distance: Jensen-Shannon for each, and Kolmogorov-Smirnov too where values have an order."""
    ordered = [number for number, column in enumerate(layout.columns) if column.ordered]
    return [*range(len(layout.columns)), *ordered]


def distances(layout: Layout, window: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Distances of shape (windows, tests) between counts of shape (windows, bins) and (windows or 1, bins).

    Jensen-Shannon sees any change of the counts; Lin, "Divergence measures based on the Shannon entropy" (1991).
    Kolmogorov-Smirnov sees a small common shift sooner.

    >>> from tasks.columns.bins import Bins
    >>> one = Layout([Bins("x", edges=np.array([0.0, 1.0]))])
    >>> distances(one, np.array([[0, 4, 0, 0]]), np.array([[0, 0, 4, 0]])).round(2).tolist()
    [[0.83, 1.0]]
    """
    found = []
    for column, start in zip(layout.columns, layout.starts, strict=False):
        p, q = (_shares(counts[:, start : start + column.size]) for counts in (window, reference))
        middle = (p + q) / 2
        divergence = (_entropy_to(p, middle) + _entropy_to(q, middle)) / 2
        found.append(np.sqrt(np.maximum(divergence, 0.0)))
    for column, start in zip(layout.columns, layout.starts, strict=False):
        if column.ordered:
            p, q = (_shares(counts[:, start : start + column.size - 1]) for counts in (window, reference))
            found.append(np.abs(np.cumsum(p - q, axis=1)).max(axis=1))
    return np.stack(found, axis=1)


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _entropy_to(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, p * np.log(p / q), 0.0).sum(axis=1)
