"""Accumulated local effects: how answers change along one column, as rows have it together with the others.

Apley & Zhu, "Visualizing the effects of predictor variables in black box supervised learning models" (2020). Partial
dependence asks the model about rows that cannot be, where columns go together (a flight of 200 miles that takes six hours);
here a row's value moves only to the ends of its own bin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from tasks.columns.kind import ColumnKind
from tasks.explaining.values import Effect

BINS = 20
LEVELS = 20  # the most frequent categories; one row in a level says nothing
LEAST_ROWS = 5  # of a level

Answers = Callable[[Any], Mapping[str, np.ndarray]]  # of an encoded frame, by name, each of shape (rows,)
Effects = Callable[[Answers, Any, str, Mapping[str, ColumnKind]], Effect | None]


def replaced(frame: Any, name: str, values: Any) -> Any:
    """The frame with other values in a column, whatever that is called (pandas' `assign` takes no column `self`)."""
    found = frame.copy()
    found[name] = values
    return found


def in_order(answers: Answers, encoded: Any, name: str, kinds: Mapping[str, ColumnKind]) -> Effect | None:
    """The effect of a column of numbers, between quantiles of its values; None where it has but one."""
    frame = encoded[~kinds[name].missing(encoded[name].to_numpy())]
    values = frame[name].to_numpy()
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1), method="nearest")) if len(values) else values
    if len(edges) < 2:
        return None
    bins = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, len(edges) - 2)
    rows = np.bincount(bins, minlength=len(edges) - 1)
    lower, upper = (answers(replaced(frame, name, edges[bins + end])) for end in (0, 1))
    found = {}
    for each in lower:
        steps = np.bincount(bins, upper[each] - lower[each], len(rows)) / rows  # none is empty: its upper end is a value
        curve = np.concatenate([[0.0], np.cumsum(steps)])
        middle = ((curve[:-1] + curve[1:]) / 2 * rows).sum() / rows.sum()
        found[each] = (curve - middle).tolist()
    return Effect(column=name, ordered=True, at=edges.astype(float).tolist(), answers=found)


def by_level(answers: Answers, encoded: Any, name: str, kinds: Mapping[str, ColumnKind]) -> Effect | None:
    """The effect of a column of categories, from each to the one whose rows are most like its own; None where it has one."""
    counts = encoded[name][~kinds[name].missing(encoded[name].to_numpy())].value_counts()
    frequent = sorted(counts[counts >= LEAST_ROWS].index, key=lambda level: (-counts[level], level))[:LEVELS]
    if len(frequent) < 2:
        return None
    frame = encoded[encoded[name].isin(frequent)]
    levels = alike(frame.drop(columns=name), frame[name].to_numpy(), sorted(frequent), kinds)
    place = {level: number for number, level in enumerate(levels)}
    at = frame[name].map(place).to_numpy()
    rows = np.bincount(at, minlength=len(levels))
    here, upper, lower = (answers(replaced(frame, name, _taken(levels, at + by))) for by in (0, 1, -1))
    found = {}
    for each in here:
        up, down = upper[each] - here[each], here[each] - lower[each]  # 0 at the last level, and at the first
        sums = np.bincount(at, up, len(levels))[:-1] + np.bincount(at, down, len(levels))[1:]
        curve = np.concatenate([[0.0], np.cumsum(sums / (rows[:-1] + rows[1:]))])
        found[each] = (curve - (curve * rows).sum() / rows.sum()).tolist()
    return Effect(column=name, ordered=False, at=levels, answers=found)


def _taken(levels: list[str], places: np.ndarray) -> np.ndarray:
    return np.array(levels, dtype=object)[np.clip(places, 0, len(levels) - 1)]


def alike(others: Any, level: np.ndarray, levels: list[str], kinds: Mapping[str, ColumnKind]) -> list[str]:
    """The levels in such an order that those stand together whose rows are alike in the other columns.

    Distances of the other columns, by their bins, are summed, and the levels lie along the first coordinate of classical
    scaling (Torgerson, 1952), as Apley & Zhu order them (2020, appendix E).
    """
    distance = np.zeros((len(levels), len(levels)))
    for name in others:
        bins = kinds[name].bins(others[name])
        codes = bins.codes(others[name])
        shares = np.stack([np.bincount(codes[level == each], minlength=bins.size) for each in levels]).astype(float)
        shares /= shares.sum(axis=1, keepdims=True)
        apart = shares[:, None] - shares[None]
        distance += np.abs(apart.cumsum(axis=2)).max(axis=2) if bins.ordered else np.abs(apart).sum(axis=2) / 2
    squared = distance**2
    centred = squared - squared.mean(axis=0) - squared.mean(axis=1)[:, None] + squared.mean()
    _, vectors = np.linalg.eigh(-centred / 2)
    first = vectors[:, -1] * (1 if vectors[np.abs(vectors[:, -1]).argmax(), -1] > 0 else -1)
    return [levels[place] for place in np.argsort(first.round(9), kind="stable")]


WAYS: dict[Literal["in order", "by level"], Effects] = {"in order": in_order, "by level": by_level}
