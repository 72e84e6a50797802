"""A seasonal reference: a window is compared with rows of the same hour, weekday or month, where the reference has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from configs.schema import Season

LEAST_SHARE = 0.05  # of a window's rows: with fewer, a season is the edge of another one
LEAST_ROWS, LEAST_DAYS = 200, 4  # of the reference, for it to say what is usual


def season_of(times: np.ndarray, season: Season) -> np.ndarray:
    """The season of each moment (datetime64), in UTC: hour 0 to 23, weekday 0 (Monday) to 6, month 0 (January) to 11.

    >>> season_of(np.array(["2026-11-24T05:30"], dtype="datetime64[s]"), "weekday").tolist()
    [1]
    """
    if season == "hour":
        return times.astype("datetime64[h]").astype(np.int64) % 24
    if season == "weekday":
        return (times.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1 January 1970 was a Thursday
    return times.astype("datetime64[M]").astype(np.int64) % 12


def seasons(times: np.ndarray, season: Season | None) -> list[int]:
    """The seasons of a window's rows; none where the reference is not seasonal."""
    if season is None:
        return []
    found, counts = np.unique(season_of(times, season), return_counts=True)
    return [int(one) for one in found[counts >= LEAST_SHARE * len(times)]]


def same_season(
    reference: Any, times: np.ndarray | None, season: Season | None, wanted: Sequence[int]
) -> tuple[Any, np.ndarray | None, str]:
    """The rows of a reference (a pandas frame and its times) of these seasons, their times, and how that is told.

    All of them where the reference is not seasonal, or has too few of these.
    """
    if times is None or season is None:
        return reference, times, ""
    chosen = np.isin(season_of(times, season), wanted)
    days = len(np.unique(times[chosen].astype("datetime64[D]")))
    if chosen.sum() < LEAST_ROWS or days < LEAST_DAYS:
        return reference, times, f"the whole reference, which has too few rows of the same {season}"
    told = f"the {chosen.sum():,} rows of the reference of the same {season}"
    return reference[chosen].reset_index(drop=True), times[chosen], told
