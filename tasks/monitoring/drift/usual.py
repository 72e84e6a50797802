"""What the reference's own stretches show as well is no fault: a season is one value for a month, and so it was before.

Every rule that looks for a fault of a window is asked of stretches of the reference too, each as long as the window and held
against the rest. What they show is the threshold of that rule for this column.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

STRETCHES = 60
LARGEST_SHARE = 1 / 3  # of the reference's time: the rest must still say what is usual
LEAST_ROWS = 20  # with fewer a stretch is one value by chance


def stretches(times: np.ndarray, length: np.timedelta64) -> Iterator[slice]:
    """Rows of the reference (its `times` ascend) that lie within so long a time, at places spread over all of it.

    >>> days = np.datetime64("2026-01-01") + np.arange(90).repeat(10) * np.timedelta64(1, "D")
    >>> [(found.start, found.stop) for found in stretches(days, np.timedelta64(30, "D"))][:2]
    [(0, 300), (150, 450)]
    """
    whole = times[-1] - times[0]
    length = min(length, np.timedelta64(int(whole / np.timedelta64(1, "us") * LARGEST_SHARE), "us"))
    number = min(STRETCHES, int(2 * (whole - length) / max(length, np.timedelta64(1, "us"))) + 1)
    starts = times[0] + np.arange(number) * ((whole - length) / max(number - 1, 1))
    for first, last in zip(np.searchsorted(times, starts), np.searchsorted(times, starts + length), strict=True):
        if last - first >= LEAST_ROWS:
            yield slice(int(first), int(last))


def apart(values: Any, times: np.ndarray, length: np.timedelta64) -> Iterator[tuple[Any, Any]]:
    """Each stretch of a column (a pandas series) and the rest of it."""
    import pandas as pd

    for chosen in stretches(times, length):
        yield values.iloc[chosen], pd.concat([values.iloc[: chosen.start], values.iloc[chosen.stop :]])
