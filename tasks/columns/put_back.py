"""A drifted column as it was: the window's values with the reference's distribution.

Numbers are put back by quantile (the rank of each row stays, so its relation to the
other columns does), categories and missing values by as few changes as restore the reference's shares.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def put_back_numbers(window: Any, reference: Any, generator: np.random.Generator) -> np.ndarray:
    """The window's values with the reference's distribution and share of missing values, ranks kept.

    >>> import pandas as pd
    >>> put_back_numbers(pd.Series([30.0, 10.0, 20.0]), pd.Series([1.0, 2.0, 3.0]), np.random.default_rng(0)).tolist()
    [3.0, 1.0, 2.0]
    """
    values = window.to_numpy(dtype=np.float64, na_value=np.nan)
    old = reference.to_numpy(dtype=np.float64, na_value=np.nan)
    present = old[~np.isnan(old)]
    if not len(present):
        return np.full(len(values), np.nan)
    ranks = generator.random(len(values))
    some = ~np.isnan(values)
    order = np.lexsort((ranks[some], values[some]))
    places = np.empty(some.sum())
    places[order] = (np.arange(some.sum()) + 0.5) / max(some.sum(), 1)
    ranks[some] = places
    restored = np.quantile(present, ranks, method="nearest")
    share = 1 - len(present) / len(old)
    wanted = round(share * len(values))
    missing = np.flatnonzero(~some)
    empty = missing[:wanted] if len(missing) >= wanted else _more(missing, np.flatnonzero(some), wanted, generator)
    restored[empty] = np.nan
    return restored


def put_back_categories(window: Any, reference: Any, generator: np.random.Generator) -> np.ndarray:
    """The window's values, changed in as few rows as give each value its share of the reference; missing counts as one."""
    values = window.astype("string").fillna("").to_numpy(dtype=object)
    shares = reference.astype("string").fillna("").value_counts(normalize=True)
    wanted = {value: int(count) for value, count in (shares * len(values)).round().items()}
    free = []
    for value in set(values):
        rows = np.flatnonzero(values == value)
        free += generator.permutation(rows)[wanted.get(value, 0) :].tolist()
    short = [v for v, count in wanted.items() for _ in range(max(0, count - int((values == v).sum())))]
    short = [str(v) for v in generator.permutation(np.array(short, dtype=object))]
    restored = values.copy()
    for row, value in zip(generator.permutation(free) if free else [], short, strict=False):
        restored[int(row)] = value
    restored[restored == ""] = None
    return restored


def _more(missing: np.ndarray, present: np.ndarray, wanted: int, generator: np.random.Generator) -> np.ndarray:
    return np.concatenate([missing, generator.permutation(present)[: wanted - len(missing)]])
