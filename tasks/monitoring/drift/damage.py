"""Which drift matters: what the metric would be, were a drifted column still as it was in the reference.

The window is scored again with the column put back, and both are estimated without labels. The difference is what the
column's drift is estimated to cost. How a column is put back, its kind says (`tasks/columns/`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tasks.columns.kind import ColumnKind
from tasks.problems.metrics import gain

ROWS = 5000


def costs(
    drifted: list[str],
    kinds: Mapping[str, ColumnKind],
    window: Any,
    reference: Any,
    metric: str,
    estimate: Callable[[Any], float],
) -> dict[str, float]:
    """Of each drifted column the metric that its drift costs; positive is a loss, whichever way the metric points.

    Args:
        drifted: Columns.
        kinds: Of the columns, by name.
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
        restored = window.copy()  # not `assign`, which has no place for a column called `self`
        restored[name] = kinds[name].put_back(window[name], reference[name], generator)
        found[name] = gain(metric, estimate(restored), now)
    return found
