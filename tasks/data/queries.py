"""Queries: the rows of one are an occasion, so that no cut goes through it."""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.errors import InputError


def whole_queries(query: str, time: str, frame: Any) -> None:
    """Raise where the rows of a query, by name of their column, have more than one time.

    Raises:
        InputError: with the query and its rows.
    """
    times = frame.groupby(query, sort=False)[time].agg(["min", "max"])
    torn = times.index[times["min"] != times["max"]]
    if len(torn):
        rows = np.flatnonzero(frame[query] == torn[0])[:2]
        raise InputError(
            f"target.query: {query!r}, rows {rows[0]} and {rows[1]}: {torn[0]!r} has rows of several times; a query is one "
            f"occasion, whose rows have one {time!r}: where the same words come again, make it of both in 'source.query'"
        )


def at_a_query(times: np.ndarray, cut: int) -> int:
    """The first row of the moment of row `cut`; `times` is ascending.

    >>> at_a_query(np.array(["2026-01-01", "2026-01-02", "2026-01-02"], dtype="datetime64[D]"), 2)
    1
    """
    return int(np.searchsorted(times, times[cut])) if cut < len(times) else cut
