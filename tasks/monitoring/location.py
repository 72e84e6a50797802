"""Where a column's values lie, as one number a row: a small common shift moves its mean, and no bin has to notice.

A number's place is its mid-rank among the reference's values, so that outliers weigh little (Wilcoxon, 1945). Beside it
stands what is left of the place when the other columns have said what they can: a column that shifts alone is seen sooner
where the others know it (analysis of covariance; Fisher, 1932). Means over a window are compared with the reference's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.monitoring.bins import Bins, Layout

LEARN_ROWS = 10_000
ROWS_A_TERM = 20  # with fewer rows the others explain by chance, and new rows are off by more than these say
RIDGE = 1e-4


class Location:
    """Two places of every ordered column of a reference (a pandas frame): alone, and given the others."""

    def __init__(self, layout: Layout, reference: Any) -> None:
        self.ordered = [number for number, column in enumerate(layout.columns) if column.ordered]
        self._columns = layout.columns
        self._known = [_present(reference[layout.columns[number].name]) for number in self.ordered]
        chosen = np.random.default_rng(0).permutation(len(reference))[:LEARN_ROWS]
        terms = self._terms(reference.iloc[chosen])
        self._mean = terms.mean(axis=0)
        self._weights = np.eye(terms.shape[1])[:, : len(self.ordered)]  # each column alone, where too few rows say more
        if len(terms) >= ROWS_A_TERM * terms.shape[1]:
            centred = terms - self._mean
            precision = np.linalg.inv(centred.T @ centred / len(terms) + RIDGE * np.eye(terms.shape[1]))
            self._weights = precision[:, : len(self.ordered)] / np.diag(precision)[: len(self.ordered)]

    @property
    def size(self) -> int:
        """Places of a row."""
        return 2 * len(self.ordered)

    def places(self, frame: Any) -> np.ndarray:
        """Of every row of a pandas frame, shape (rows, size): of each ordered column alone, then given the others."""
        parts = [self._terms(frame.iloc[start : start + LEARN_ROWS]) for start in range(0, len(frame), LEARN_ROWS)]
        own = len(self.ordered)
        return np.concatenate([np.hstack([part[:, :own], (part - self._mean) @ self._weights]) for part in parts])

    def _terms(self, frame: Any) -> np.ndarray:
        """Ranks of the ordered columns from -0.5 to 0.5 (missing: 0), then a 0 or 1 for each bin of the others."""
        ranks = [_ranks(known, frame[self._columns[n].name]) for n, known in zip(self.ordered, self._known, strict=True)]
        others = [_one_hot(column, frame[column.name]) for column in self._columns if not column.ordered]
        return np.hstack([*(rank[:, None] for rank in ranks), *others, np.empty((len(frame), 0))])


def _present(values: Any) -> np.ndarray:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.sort(numbers[~np.isnan(numbers)])


def _ranks(known: np.ndarray, values: Any) -> np.ndarray:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    below, upto = np.searchsorted(known, numbers, "left"), np.searchsorted(known, numbers, "right")
    return np.where(np.isnan(numbers), 0.0, (below + upto) / 2 / max(len(known), 1) - 0.5)


def _one_hot(column: Bins, values: Any) -> np.ndarray:
    return (column.codes(values)[:, None] == np.arange(column.size)).astype(np.float64)
