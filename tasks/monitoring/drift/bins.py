"""Bins: a column's values as counts, so that a window of any length is a short row of numbers.

Edges and categories come from the reference alone and stay; what the reference never showed (a value beyond its range, a
category it did not have) and what is missing have bins of their own, so one distance sees them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

NUMERIC_BINS = 20
CATEGORIES = 30


@dataclass(frozen=True)
class Bins:
    """How one column is counted.

    A number falls below, between or above `edges` (ascending; the last one is just above the largest reference value).
    A category is one of `categories`, the most frequent first; rarer ones of the reference (`rest`) share a bin.
    """

    name: str
    edges: np.ndarray | None = None
    categories: tuple[str, ...] = ()
    rest: frozenset[str] = frozenset()

    @property
    def ordered(self) -> bool:
        """Whether neighbouring bins hold neighbouring values; the last bin (missing) is apart."""
        return self.edges is not None

    @property
    def size(self) -> int:
        """Numbers: below, between the edges, above, missing. Categories: each, the rest, unknown, missing."""
        return len(self.edges) + 2 if self.edges is not None else len(self.categories) + 3

    def codes(self, values: Any) -> np.ndarray:
        """The bin of every value of a pandas series, shape (rows,).

        >>> import pandas as pd
        >>> make_bins(pd.Series([1.0, 2.0, 2.0]), numeric=True).codes(pd.Series([0.0, 1.0, 2.5, None])).tolist()
        [0, 1, 3, 4]
        """
        if self.edges is not None:
            numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
            found = np.searchsorted(self.edges, numbers, side="right")
            return np.where(np.isnan(numbers), self.size - 1, found)
        known = {name: code for code, name in enumerate(self.categories)}
        known |= dict.fromkeys(self.rest, len(self.categories))
        each, distinct = values.astype("string").fillna("").factorize()
        missing, unknown = self.size - 1, self.size - 2
        table = np.array([missing if name == "" else known.get(name, unknown) for name in distinct], dtype=np.int64)
        return table[each]


def make_bins(values: Any, numeric: bool) -> Bins:
    """Bins of a reference column, a pandas series: numbers by distinct values where few, else by quantiles."""
    name = str(values.name)
    if not numeric:
        present = values.astype("string").fillna("")
        counts = present[present != ""].value_counts()
        frequent = sorted(counts.index, key=lambda value: (-counts[value], value))
        return Bins(name, categories=tuple(frequent[:CATEGORIES]), rest=frozenset(frequent[CATEGORIES:]))
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = numbers[~np.isnan(numbers)]
    if not len(numbers):
        return Bins(name, edges=np.array([]))
    edges, counts = np.unique(numbers, return_counts=True)
    beyond = np.nextafter(edges[-1], np.inf)
    if len(edges) > NUMERIC_BINS:
        # A frequent value (zeros, a default) has a bin of its own, lest it hides all others; quantiles part the rest.
        own = edges[counts * NUMERIC_BINS >= len(numbers)]
        others = numbers[~np.isin(numbers, own)]
        parts = np.linspace(0, 1, max(NUMERIC_BINS - len(own), 2), endpoint=False)
        quantiles = np.quantile(others, parts, method="lower")
        edges = np.unique(np.concatenate([edges[:1], own, np.nextafter(own, np.inf), quantiles]))
    return Bins(name, edges=np.append(edges[edges < beyond], beyond))


def make_layout(reference: Any, numeric: list[str]) -> Layout:
    """The bins of all columns of a pandas frame; `numeric` names those that hold numbers."""
    return Layout([make_bins(reference[name], name in numeric) for name in reference])


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
