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
        >>> bins_of_numbers(pd.Series([1.0, 2.0, 2.0])).codes(pd.Series([0.0, 1.0, 2.5, None])).tolist()
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


def bins_of_categories(values: Any, most: int = CATEGORIES) -> Bins:
    """Bins of a reference column of strings, a pandas series: the frequent ones have one each."""
    present = values.astype("string").fillna("")
    counts = present[present != ""].value_counts()
    frequent = sorted(counts.index, key=lambda value: (-counts[value], value))
    return Bins(str(values.name), categories=tuple(frequent[:most]), rest=frozenset(frequent[most:]))


def bins_of_numbers(values: Any) -> Bins:
    """Bins of a reference column of numbers, a pandas series: by distinct values where few, else by quantiles."""
    name = str(values.name)
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
