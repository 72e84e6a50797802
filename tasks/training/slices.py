"""Slices: the rows of a frame whose column has a value, where they are enough to say something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from configs.errors import InputError
from configs.schema import SliceGates
from tasks.problems.chance import resamples
from tasks.problems.problem import Problem
from tasks.training.values import Slice

RESAMPLES = 100


def slices_of(frame: Any, rules: SliceGates, target: np.ndarray, problem: Problem) -> Iterator[tuple[str, np.ndarray]]:
    """`COLUMN=VALUE` and the numbers of its rows; with `min_rows` rows or more, and enough for metrics to say something.

    Raises:
        InputError: the frame has no such column.

    >>> import pandas as pd
    >>> from tasks.problems.binary import Binary
    >>> rows, rules = pd.DataFrame({"c": ["x", "y", "x"]}), SliceGates(columns=["c"], min_rows=1)
    >>> [(where, inside.tolist()) for where, inside in slices_of(rows, rules, np.array([0, 1, 1]), Binary())]
    [('c=x', [0, 2])]
    """
    for column in rules.columns:
        if column not in frame:
            raise InputError(f"evaluation.slices.columns: the source has no column {column!r}")
        values = frame[column].to_numpy()
        for value in sorted(frame[column].dropna().unique(), key=str):
            inside = np.flatnonzero(values == value)
            if len(inside) >= rules.min_rows and problem.enough(target[inside]):
                yield f"{column}={value}", inside


def unjudged(frame: Any, rules: SliceGates, target: np.ndarray, problem: Problem) -> list[str]:
    """In a sentence each, the columns of which no value has enough rows: their gates say nothing.

    >>> import pandas as pd
    >>> from tasks.problems.binary import Binary
    >>> rows = pd.DataFrame({"c": ["x", "y", "x"], "d": ["x", "x", "x"]})
    >>> unjudged(rows, SliceGates(columns=["c", "d"], min_rows=3), np.array([0, 1, 1]), Binary())
    ["No value of 'c' has enough rows in the holdout to be judged alone (3 or more, and what metrics need)"]
    """
    needed = f"{rules.min_rows:,} or more, and what metrics need"
    return [
        f"No value of {column!r} has enough rows in the holdout to be judged alone ({needed})"
        for column in rules.columns
        if not any(slices_of(frame, rules.model_copy(update={"columns": [column]}), target, problem))
    ]


def by_slice(
    frame: Any,
    rules: SliceGates,
    target: np.ndarray,
    problem: Problem,
    blocks: np.ndarray,
    statistic: Callable[[np.ndarray], float],
) -> list[Slice]:
    """A statistic of each slice, the lowest first, with intervals by resampling whole blocks.

    `statistic` takes row numbers of the frame; `target` and `blocks` have shape (rows,).
    """
    found = []
    for where, inside in slices_of(frame, rules, target, problem):
        own = blocks[inside]
        drawn = [statistic(inside[rows]) for rows in resamples(own, RESAMPLES, len(np.unique(own)), seed=0)]
        low, high = np.nanquantile(drawn, [0.025, 0.975])
        found.append(Slice(where=where, value=statistic(inside), lower=low, upper=high, rows=len(inside)))
    return sorted(found, key=lambda one: one.value)


def slices_table(what: str, slices: list[Slice]) -> str:
    """The slices as a Markdown table; nothing where there are none."""
    if not slices:
        return ""
    rows = "".join(f"| {s.where} | {s.value:.4f} | {s.lower:.4f} to {s.upper:.4f} | {s.rows:,} |\n" for s in slices)
    return f"| slice | {what} | 95 % | rows |\n|---|---|---|---|\n{rows}\n"
