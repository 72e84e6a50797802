"""Ripe labels: a label comes `source.label_delay` after its row, and nothing may be learned from it before."""

from __future__ import annotations

from datetime import timedelta

import numpy as np


def ripe_rows(times: np.ndarray, start: int, delay: timedelta) -> int:
    """How many of the first rows had their label when row `start` happened; `times` is ascending.

    >>> days = np.array(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"], dtype="datetime64[s]")
    >>> ripe_rows(days, 3, timedelta(0)), ripe_rows(days, 3, timedelta(days=2))
    (3, 2)
    """
    return int(np.searchsorted(times[:start], times[start] - np.timedelta64(delay), "right"))
