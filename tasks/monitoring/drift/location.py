"""Where a column's values lie, as one number a row: a small common shift moves its mean, and no bin has to notice.

A number's place is its mid-rank among the reference's values, so that outliers weigh little (Wilcoxon, 1945). The mean
over a window is compared with the reference's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.monitoring.drift.layout import Layout


class Location:
    """The places of every ordered column of a reference (a pandas frame)."""

    def __init__(self, layout: Layout, reference: Any) -> None:
        self.ordered = [number for number, column in enumerate(layout.columns) if column.ordered]
        names = [layout.columns[number].name for number in self.ordered]
        self._known = {name: _present(reference[name]) for name in names}

    def places(self, frame: Any) -> list[np.ndarray]:
        """Of each ordered column the places (rows,) from -0.5 to 0.5 of a pandas frame's values; missing is 0."""
        return [_ranks(known, frame[name]) for name, known in self._known.items()]


def _present(values: Any) -> np.ndarray:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.sort(numbers[~np.isnan(numbers)])


def _ranks(known: np.ndarray, values: Any) -> np.ndarray:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    below, upto = np.searchsorted(known, numbers, "left"), np.searchsorted(known, numbers, "right")
    return np.where(np.isnan(numbers), 0.0, (below + upto) / 2 / max(len(known), 1) - 0.5)
