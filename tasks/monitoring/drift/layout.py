"""The layout of a window: the bins of all its columns side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.columns.bins import Bins
from tasks.columns.kind import ColumnKind


def make_layout(reference: Any, kinds: Mapping[str, ColumnKind]) -> Layout:
    """The bins of all columns of a pandas frame, each by its kind."""
    return Layout([kinds[name].bins(reference[name]) for name in reference])


class Layout:
    """The bins of several columns side by side: a window is one row of counts."""

    def __init__(self, columns: list[Bins]) -> None:
        self.columns = columns
        self.starts = np.cumsum([0, *(column.size for column in columns)])

    @property
    def size(self) -> int:
        """Bins of all columns."""
        return int(self.starts[-1])

    def codes(self, frame: Any) -> np.ndarray:
        """The bin of every value, shape (rows, columns)."""
        return np.stack([column.codes(frame[column.name]) for column in self.columns], axis=1).astype(np.float32)

    def counts(self, frame: Any, units: np.ndarray | None = None, number: int = 1) -> np.ndarray:
        """Rows of a frame in each bin, shape (number of units, size); `units` (rows,) says which row belongs to which."""
        units = np.zeros(len(frame), dtype=np.int64) if units is None else units
        total = np.zeros((number, self.size))
        for column, start in zip(self.columns, self.starts, strict=False):
            flat = np.bincount(units * column.size + column.codes(frame[column.name]), minlength=number * column.size)
            total[:, start : start + column.size] = flat.reshape(number, column.size)
        return total
