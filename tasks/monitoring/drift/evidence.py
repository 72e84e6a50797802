"""What is compared of a window and the reference: every column's distances, and where its values lie.

All of it comes from sums over rows (counts of bins, sums of places), so thousands of windows are one array operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.columns.kind import ColumnKind
from tasks.monitoring.drift.distance import distances, tests_of
from tasks.monitoring.drift.layout import make_layout
from tasks.monitoring.drift.location import Location

TINY = 1e-3


class Evidence:
    """The tests of a reference's columns; `kinds` says of each column, by name, of which kind it is."""

    def __init__(self, reference: Any, kinds: Mapping[str, ColumnKind]) -> None:
        self.layout = make_layout(reference, kinds)
        self._location = Location(self.layout, reference)
        self.columns = [*tests_of(self.layout), *self._location.ordered]
        self.two_sided = np.arange(len(self.columns)) >= len(self.columns) - len(self._location.ordered)

    def sums(self, frame: Any, units: np.ndarray | None = None, number: int = 1) -> np.ndarray:
        """Of each unit of a frame's rows the counts of bins and the sums of places, shape (number of units, sums)."""
        units = np.zeros(len(frame), dtype=np.int64) if units is None else units
        places = [np.bincount(units, weights=place, minlength=number) for place in self._location.places(frame)]
        return np.column_stack([self.layout.counts(frame, units, number), *places])

    def between(self, window: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """Every test of windows, shape (windows, tests), from sums of shape (windows, sums) and (windows or 1, sums).

        Distances are skewed, and their logarithms nearly normal; differences of places are nearly normal, with a sign.
        """
        apart = [np.log(distances(self.layout, window[:, : self.layout.size], reference[:, : self.layout.size]) + TINY)]
        means = [sums[:, self.layout.size :] / np.maximum(self.rows(sums), 1)[:, None] for sums in (window, reference)]
        return np.hstack([*apart, means[0] - means[1]])

    def rows(self, sums: np.ndarray) -> np.ndarray:
        """How many rows were summed: every row has one bin of the first column."""
        return sums[:, : self.layout.starts[1]].sum(axis=1)

    def distance(self, window: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """Jensen-Shannon's of each column, shape (windows, columns)."""
        found = distances(self.layout, window[:, : self.layout.size], reference[:, : self.layout.size])
        return found[:, : len(self.layout.columns)]
