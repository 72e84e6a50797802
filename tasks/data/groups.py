"""Groups: of each row to which it belongs, by every protected column, and by all of them together where that is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.contract.spelling import spelled
from tasks.data.frames import client_values

TOGETHER = " and "


def groups_of(columns: Mapping[str, Any], together: bool) -> dict[str, np.ndarray]:
    """By name of the protected column the group of each row, shape (rows,): its value as a text, or None.

    `columns` are pandas series. `together`: also those of all columns, for rows that have a value in each.

    >>> import pandas as pd
    >>> found = groups_of({"race": pd.Series([0.0, 1.0, None]), "sex": pd.Series(["f", "m", "f"])}, together=True)
    >>> {name: groups.tolist() for name, groups in found.items()}
    {'race': ['0', '1', None], 'sex': ['f', 'm', 'f'], 'race and sex': ['0 and f', '1 and m', None]}
    """
    found = {name: _named(series) for name, series in columns.items()}
    if together and len(found) > 1:
        rows = zip(*found.values(), strict=True)
        joined = [None if None in row else TOGETHER.join(row) for row in rows]
        found[TOGETHER.join(found)] = np.array(joined, dtype=object)
    return found


def _named(series: Any) -> np.ndarray:
    """A value is the same group in a snapshot and in the log, also where a gap made floats of whole numbers."""
    return np.array([_spelled(value) for value in client_values(series)], dtype=object)


def _spelled(value: Any) -> str | None:
    return spelled(value) if isinstance(value, bool | int | float) else value
