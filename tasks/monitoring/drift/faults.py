"""A broken pipeline upstream is no drift: what a column looks like when something before the model is at fault.

Each likely cause is told with its numbers, so that a person can check it in a minute. Nothing is trained on such rows. What
a stretch of the reference shows as well, held against the rest of it, is how this column behaves, and no fault.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.columns.kind import ColumnKind
from tasks.columns.values import Sign
from tasks.monitoring.drift.usual import apart

CONSTANT_SHARE = 0.99
MISSING_SHARE = 0.3
PLACEHOLDERS = {"", "0", "-1", "?", "n/a", "na", "nan", "none", "null", "unknown", "undefined", "other", "default"}


def fault(
    window: Any,
    reference: Any,
    kind: ColumnKind,
    times: np.ndarray | None = None,
    length: np.timedelta64 | None = None,
) -> str | None:
    """The likely cause of a drifted column, where it is a fault upstream.

    Args:
        window: A pandas series.
        reference: A pandas series, in the order of `times` where its rows have one.
        kind: Of the column.
        times: Of the reference's rows, as datetime64.
        length: Of the window, in time; the reference is looked at in stretches of it.

    >>> import pandas as pd
    >>> from tasks.columns.numeric import Numeric
    >>> fault(pd.Series([0.0] * 500), pd.Series(np.arange(500.0)), Numeric())
    'every value is 0; the reference has 500 distinct ones'
    """
    for look in (_missing, _constant, kind.fault):
        sign = look(window, reference)
        known = sign and times is not None and length is not None and _usual(sign, look, reference, times, length)
        if sign and not known:
            return sign.told
    return None


def _usual(sign: Sign, look: Any, reference: Any, times: np.ndarray, length: np.timedelta64) -> bool:
    """Whether a stretch of the reference shows the same, and nearly as much of it."""
    found = (look(stretch, rest) for stretch, rest in apart(reference, times, length))
    return any(one and one.kind == sign.kind and one.size > sign.size - MISSING_SHARE for one in found)


def _missing(window: Any, reference: Any) -> Sign | None:
    missing, before = float(window.isna().mean()), float(reference.isna().mean())
    if missing - before < MISSING_SHARE:
        return None
    return Sign("missing", f"{missing:.0%} of the values are missing; in the reference {before:.0%} are", missing)


def _constant(window: Any, reference: Any) -> Sign | None:
    window, reference = window.dropna(), reference.dropna()
    if window.empty or reference.empty:
        return None
    value, share = _commonest(window)
    text = value if isinstance(value, str) else f"{value:g}"
    placeholder = text.casefold() in PLACEHOLDERS
    if isinstance(value, str) and not placeholder:
        return None  # a month is one value for a month
    _, usual = _commonest(reference)
    if share < CONSTANT_SHARE or usual >= CONSTANT_SHARE or (reference == value).mean() > 0.9:
        return None
    shown = repr(value) if isinstance(value, str) else text
    told = f"every value is {shown}; the reference has {reference.nunique():,} distinct ones"
    # A calendar goes on to values that it never had, but not to a placeholder.
    return Sign("placeholder" if placeholder and not (reference == value).any() else "constant", told)


def _commonest(values: Any) -> tuple[Any, float]:
    counts = values.value_counts(normalize=True)
    return counts.index[0], float(counts.iloc[0])
