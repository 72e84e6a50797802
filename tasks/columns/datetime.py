"""Moments: their parts as numbers, scaled and imputed for linear models, as they are for trees.

What is watched is the time of the week alone. The day always moves on, and so does the time of the year in every window that
is shorter than one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from configs.errors import InputError
from serving.contract.contract import Column
from serving.contract.kinds.moments import PARTS, WIDTH, at, parts
from serving.contract.kinds.strings import MISSING
from tasks.columns.bins import Bins, bins_of_categories
from tasks.columns.scaler import ExactScaler, scaled
from tasks.columns.strings import MOST_VALUES, Strings
from tasks.columns.values import Sign

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS = 3  # that share a bin
WEEK = np.timedelta64(7, "D")
MONDAY = np.datetime64("2000-01-03", "us")
GRID = 200  # moments of the training span that generated rows have
# Ends of the calendar, leap days, the turn of a year, and what programs write for nothing.
ODD = (
    *("0001-01-01T00:00:00Z", "1900-02-28T23:59:59.999999Z", "1970-01-01T00:00:00Z", "1999-12-31T23:59:59Z"),
    *("2000-02-29T12:00:00Z", "2024-12-31T23:59:59.999999Z", "2100-03-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
)
SHIFT, FIT = 0.2, 0.25  # of the rows that another hour has, and of these what may be left once that is undone


class Datetime(Strings):
    """Columns of moments."""

    shown_as: Literal["numbers", "categories"] = "numbers"

    def observed(self, present: np.ndarray) -> dict[str, Any]:
        """The first and the last day, from 2000-01-01."""
        days = parts(present)[:, PARTS.index("day")]
        return {"low": float(days.min()), "high": float(days.max())} if len(days) else {}

    def transformer(self, linear: bool) -> Any:
        """Trees get the parts as they are."""
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer

        read = FunctionTransformer(numbers)
        return make_pipeline(read, SimpleImputer(keep_empty_features=True), ExactScaler()) if linear else read

    def inside(self, fitted: Any) -> Any:
        """What comes behind the parts.

        Raises:
            InputError: it is none that `transformer` made; the graph gets the parts, and no moments.
        """
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer

        first, *rest = [step for _, step in fitted.steps] if hasattr(fitted, "steps") else [fitted]
        if getattr(first, "func", None) is not numbers or [type(step).__name__ for step in rest] not in (
            [],
            ["SimpleImputer", "ExactScaler"],
        ):
            raise InputError(
                "features.datetime: moments are read by the encoder that the function is given, given.encoder()"
            )
        return make_pipeline(rest[0], rest[1].plain()) if rest else FunctionTransformer()

    def encoded(self, fitted: Any, place: int, linear: bool) -> dict[str, Any]:
        """Parts as they are, or imputed and scaled."""
        return scaled(fitted, place, WIDTH) if linear else {"how": "numbers"}

    def bins(self, values: Any) -> Bins:
        """By the time of the week."""
        return bins_of_moments(values)

    def fault(self, window: Any, reference: Any) -> Sign | None:
        """Another offset."""
        return shifted(window, reference)

    def put_back(self, window: Any, reference: Any, generator: np.random.Generator) -> np.ndarray:
        """In its own week the row gets the time of a moment of the reference, drawn by chance."""
        now, old = _moments(window), _moments(reference)
        drawn = old[generator.integers(0, len(old), len(now))]
        first = now[~np.isnat(now)].min() if (~np.isnat(now)).any() else MONDAY
        weeks = (np.where(np.isnat(now), first, now) - MONDAY) // WEEK
        found = MONDAY + weeks * WEEK + (drawn - MONDAY) % WEEK
        return np.array(
            [None if text == "NaT" else f"{text.removesuffix('.000000')}Z" for text in found.astype(str)], object
        )

    def shown(self, values: Any) -> Any:
        """The hour of the week."""
        import pandas as pd

        found = parts(_texts(values)).astype(np.float64)
        return pd.Series(
            24 * found[:, PARTS.index("weekday")] + found[:, PARTS.index("hour")], values.index, name=values.name
        )

    def tried(self, column: Column, held: Any) -> np.ndarray:
        """Moments of the whole span of training, and such that rows of the holdout have."""
        low, high = column.low, column.high
        grid = [] if low is None or high is None else [at(day) for day in np.linspace(low, high + 1, GRID)]
        texts = [text for text in dict.fromkeys([*grid, *held.tolist()]) if text != MISSING][:MOST_VALUES]
        return np.array([*texts, *ODD], dtype=object)

    def news(self, column: Column) -> list[str]:
        """Odd ones."""
        return list(ODD)


def numbers(moments: Any) -> np.ndarray:
    """Columns of moments as one matrix of shape (rows, columns * WIDTH), float32: what the graph gets."""
    columns = np.asarray(moments, dtype=object)
    return np.hstack([parts(columns[:, [number]]) for number in range(columns.shape[1])])


@dataclass(frozen=True)
class MomentBins(Bins):
    """Moments are counted by the weekday and by three hours of the day."""

    def codes(self, values: Any) -> np.ndarray:
        """The bin of every moment of a pandas series, shape (rows,)."""
        return super().codes(_times_of_week(values))


def bins_of_moments(values: Any) -> MomentBins:
    """Bins of a reference column of moments, a pandas series.

    >>> import pandas as pd
    >>> bins = bins_of_moments(pd.Series(["2026-03-02T07:00:00Z", "2026-03-02T08:59:00Z"], name="at"))
    >>> bins.categories, bins.codes(pd.Series(["2030-12-30T06:00:00Z", "2026-03-03T06:00:00Z", None])).tolist()
    (('Mon 6',), [0, 2, 3])
    """
    plain = bins_of_categories(_times_of_week(values), len(DAYS) * 24 // HOURS)
    return MomentBins(str(values.name), None, plain.categories, plain.rest)


def shifted(window: Any, reference: Any) -> Sign | None:
    """By how many hours all moments lie later, or earlier, in the day than the reference's: as a lost offset does."""
    now, before = (_hours(values) for values in (window, reference))
    if not now.sum() or not before.sum():
        return None
    apart = [float(np.abs(np.roll(now, -by) - before).sum() / 2) for by in range(24)]
    by = int(np.argmin(apart))
    if apart[0] < SHIFT or apart[by] > FIT * apart[0]:
        return None
    told = f"{by} hours later" if by <= 12 else f"{24 - by} hours earlier"
    return Sign("shifted", f"times lie {told} in the day than in the reference, as where an offset is lost")


def _hours(values: Any) -> np.ndarray:
    """The share of each hour of the day."""
    hours = parts(_texts(values))[:, PARTS.index("hour")]
    counts = np.bincount(hours[~np.isnan(hours)].astype(int), minlength=24)
    return np.asarray(counts / max(counts.sum(), 1))


def _texts(values: Any) -> np.ndarray:
    return np.asarray(values.astype("string").fillna(MISSING).to_numpy(dtype=object))


def _moments(values: Any) -> np.ndarray:
    return np.array([text[:-1] or "NaT" for text in _texts(values)], dtype="datetime64[us]")


def _times_of_week(values: Any) -> Any:
    import pandas as pd

    found = parts(_texts(values))
    week = zip(found[:, PARTS.index("weekday")], found[:, PARTS.index("hour")], strict=True)
    told = [MISSING if hour != hour else f"{DAYS[int(day)]} {int(hour) // HOURS * HOURS}" for day, hour in week]
    return pd.Series(told, name=values.name, dtype="string")
