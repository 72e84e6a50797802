"""Slices: the rows of a frame whose column has a value, where they are enough to say something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from configs.errors import InputError
from configs.schema import SliceGates


def slices_of(
    frame: Any, rules: SliceGates, target: np.ndarray, columns: list[str] | None = None
) -> Iterator[tuple[str, np.ndarray]]:
    """`COLUMN=VALUE` and which rows that is, shape (rows,); with `min_rows` rows or more of both classes.

    Raises:
        InputError: the frame has no such column.

    >>> import pandas as pd
    >>> rows, rules = pd.DataFrame({"c": ["x", "x", "y"]}), SliceGates(columns=["c"], min_rows=1)
    >>> [(where, inside.tolist()) for where, inside in slices_of(rows, rules, np.array([0, 1, 1]))]
    [('c=x', [True, True, False])]
    """
    for column in rules.columns if columns is None else columns:
        if column not in frame:
            raise InputError(f"evaluation.slices.columns: the source has no column {column!r}")
        values = frame[column].to_numpy()
        for value in sorted(frame[column].dropna().unique(), key=str):
            inside = values == value
            if inside.sum() >= rules.min_rows and 0 < target[inside].sum() < inside.sum():
                yield f"{column}={value}", inside
