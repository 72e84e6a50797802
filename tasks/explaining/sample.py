"""Samples of rows that are few enough to explain, in a time that hardly depends on the model."""

from __future__ import annotations

from typing import Any

import numpy as np

from serving.reasons.reasons import Additive

LEAST_ROWS = 50
MOST_CONDITIONS = 10**8  # that may be looked at, over all rows: about a second


def spaced(frame: Any, most: int) -> Any:
    """At most so many rows of a pandas frame, at even distances."""
    return frame.iloc[np.linspace(0, len(frame) - 1, min(most, len(frame))).round().astype(int)]


def runs(frame: Any, most: int, number: int = 10) -> tuple[Any, np.ndarray]:
    """The same as runs of neighbouring rows, so that rows of one query stay together; and of each row its run."""
    if len(frame) <= most:
        return frame, np.arange(len(frame)) * number // len(frame)
    length = most // number
    starts = np.linspace(0, len(frame) - length, number).round().astype(int)
    return frame.iloc[(starts[:, None] + np.arange(length)).ravel()], np.repeat(np.arange(number), length)


def affordable(additive: Additive, most: int, allowed: int = MOST_CONDITIONS) -> int:
    """How many rows are explained: fewer where an ensemble has many conditions, as a forest of many leaves does."""
    conditions = 1 if additive.paths is None else max(len(additive.paths.feature), 1)
    return max(min(most, allowed // conditions), min(most, LEAST_ROWS))
