"""Which drift matters: what the metric would be, were a drifted column still as it was in the reference.

The window is scored again with the column put back, and both are estimated without labels. The difference is what the
column's drift is estimated to cost. Numbers are put back by quantile (the rank of each row stays, so its relation to the
other columns does), categories and missing values by as few changes as restore the reference's shares.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tasks.problems.metrics import gain

ROWS = 5000


def costs(
    drifted: list[str],
    categorical: list[str],
    window: Any,
    reference: Any,
    metric: str,
    estimate: Callable[[Any], float],
) -> dict[str, float]:
    """Of each drifted column the metric that its drift costs; positive is a loss, whichever way the metric points.

    Args:
        drifted: Columns.
        categorical: Which of them hold categories.
        window: A pandas frame of the model's columns; at most `ROWS` rows of it are taken.
        reference: A pandas frame of the same columns.
        metric: Which metric `estimate` gives.
        estimate: The estimated metric of a frame.
    """
    generator = np.random.default_rng(0)
    if len(window) > ROWS:
        window = window.iloc[np.sort(generator.permutation(len(window))[:ROWS])]
    window = window.reset_index(drop=True)
    now, found = estimate(window), {}
    for name in drifted:
        put_back = put_back_categories if name in categorical else put_back_numbers
        restored = window.copy()  # not `assign`, which has no place for a column called `self`
        restored[name] = put_back(window[name], reference[name], generator)
        found[name] = gain(metric, estimate(restored), now)
    return found


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
