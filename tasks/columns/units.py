"""Whether a column of numbers came in another unit: a conversion that, undone, lays the window on the reference."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.columns.values import Sign

FIT = 0.03  # of the reference's spread that a changed unit may leave between the quantiles
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


def changed_unit(window: Any, reference: Any) -> Sign | None:
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
