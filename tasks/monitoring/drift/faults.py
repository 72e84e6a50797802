"""A broken pipeline upstream is no drift: what a column looks like when something before the model is at fault.

Each likely cause is told with its numbers, so that a person can check it in a minute. Nothing is trained on such rows. What
a stretch of the reference shows as well, held against the rest of it, is how this column behaves, and no fault.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tasks.monitoring.drift.usual import apart

CONSTANT_SHARE = 0.99
MISSING_SHARE = 0.3
RENAMED_SHARE = 0.05
RARE = 0.01
FIT = 0.03  # of the reference's spread that a changed unit may leave between the quantiles
PLACEHOLDERS = {"", "0", "-1", "?", "n/a", "na", "nan", "none", "null", "unknown", "undefined", "other", "default"}
QUANTILES = np.linspace(0.05, 0.95, 19)
CONVERSIONS = {
    "miles to kilometres": (1.609344, 0.0),
    "kilometres to miles": (1 / 1.609344, 0.0),
    "feet to metres": (0.3048, 0.0),
    "metres to feet": (1 / 0.3048, 0.0),
    "inches to millimetres": (25.4, 0.0),
    "inches to centimetres": (2.54, 0.0),
    "pounds to kilograms": (0.45359237, 0.0),
    "kilograms to pounds": (1 / 0.45359237, 0.0),
    "Fahrenheit to Celsius": (5 / 9, -160 / 9),
    "Celsius to Fahrenheit": (9 / 5, 32.0),
    "Celsius to kelvin": (1.0, 273.15),
    "ten times smaller": (0.1, 0.0),
    "ten times larger": (10.0, 0.0),
    "a hundred times smaller (a share for a percentage, whole units for cents)": (0.01, 0.0),
    "a hundred times larger (a percentage for a share, cents for whole units)": (100.0, 0.0),
    "a thousand times smaller": (0.001, 0.0),
    "a thousand times larger": (1000.0, 0.0),
    "minutes to seconds, or hours to minutes": (60.0, 0.0),
    "seconds to minutes, or minutes to hours": (1 / 60, 0.0),
    "the sign turned around": (-1.0, 0.0),
}


class Sign(NamedTuple):
    """What a fault looks like: its kind, how it is told, and how much of it there is, where it comes in all sizes."""

    kind: str
    told: str
    size: float = 0.0


def fault(
    window: Any,
    reference: Any,
    numeric: bool,
    times: np.ndarray | None = None,
    length: np.timedelta64 | None = None,
) -> str | None:
    """The likely cause of a drifted column, where it is a fault upstream.

    Args:
        window: A pandas series.
        reference: A pandas series, in the order of `times` where its rows have one.
        numeric: Whether it holds numbers.
        times: Of the reference's rows, as datetime64.
        length: Of the window, in time; the reference is looked at in stretches of it.

    >>> import pandas as pd
    >>> fault(pd.Series([0.0] * 500), pd.Series(np.arange(500.0)), numeric=True)
    'every value is 0; the reference has 500 distinct ones'
    """
    for look in (_missing, _constant, _unit if numeric else _renamed):
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


def _unit(window: Any, reference: Any) -> Sign | None:
    """The conversion that, undone, lays the window on the reference.

    A summer may lie where a winter times two would, so quantiles alone say little: where the reference's values repeat (an
    hour's temperature, a table of distances), the undone ones must be values that the reference has.
    """
    now, before = (values.dropna().to_numpy(dtype=np.float64) for values in (window, reference))
    if not len(now) or not len(before):
        return None
    known = np.unique(before)
    target = np.quantile(before, QUANTILES)
    spread = target[-1] - target[0]
    apart = np.abs(np.quantile(now, QUANTILES) - target).mean()
    if len(known) < 5 or spread <= 0 or apart < 0.25 * spread:
        return None
    left = {}
    for name, (factor, offset) in CONVERSIONS.items():
        undone = (now - offset) / factor
        if len(known) > 0.5 * len(before) or _among(undone, known) >= 0.9 > 2 * _among(now, known):
            left[name] = float(np.abs(np.quantile(undone, QUANTILES) - target).mean() / spread)
    best = min(left, key=lambda name: left[name], default=None)
    if best is None or left[best] > FIT:
        return None
    low, high = np.quantile(now, [0.25, 0.75])
    return Sign(best, f"{best}: half of the values lie in {low:.4g} to {high:.4g}, in the reference in {_middle(before)}")


def _among(values: np.ndarray, known: np.ndarray) -> float:
    """The share of the values that are known ones, to the precision of float32."""
    place = np.clip(np.searchsorted(known, values), 1, len(known) - 1)
    apart = np.minimum(np.abs(values - known[place - 1]), np.abs(values - known[place]))
    return float((apart <= 1e-5 * np.maximum(np.abs(values), 1e-3)).mean())


def _middle(values: np.ndarray) -> str:
    low, high = np.quantile(values, [0.25, 0.75])
    return f"{low:.4g} to {high:.4g}"


def _renamed(window: Any, reference: Any) -> Sign | None:
    """New categories that came as old ones went: by spelling, or every one of several with just the share of an old one.

    One category that takes the place of another may as well be news: a card in place of cash, August after July.
    """
    now, before = (values.astype("string").value_counts(normalize=True) for values in (window, reference))
    new = [value for value in now.index if value not in before.index and now[value] >= RARE]
    gone = [value for value in before.index if value not in now.index and before[value] >= RARE]
    if not new or not gone or now[new].sum() < RENAMED_SHARE:
        return None
    plain = {_plain(value): value for value in gone}
    pairs = [(plain[_plain(value)], value) for value in new if _plain(value) in plain]
    if not pairs and len(new) == len(gone) > 1:
        error = np.sqrt(1 / len(window) + 1 / len(reference))
        within = all(
            abs(before[old] - now[value]) <= 3 * error * np.sqrt(before[old] * (1 - before[old]))
            for old, value in zip(gone, new, strict=True)
        )
        pairs = list(zip(gone, new, strict=True)) if within else []
    moved = sum(float(now[value]) for _, value in pairs)
    if moved < max(RENAMED_SHARE, 0.5 * float(now[new].sum())):
        return None
    told = ", ".join(f"{old!r} is now {value!r}" for old, value in pairs[:3])
    return Sign("renamed", f"categories renamed: {told} ({moved:.0%} of the rows)")


def _plain(value: str) -> str:
    return "".join(letter for letter in value.casefold() if letter.isalnum())
