"""Importance: how much each column moves answers on average, with an interval that knows how rows hang together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tasks.explaining.effects import replaced
from tasks.explaining.values import Importance
from tasks.problems.chance import quantile

CONFIDENCE = 0.95
REPEATS = 2  # permutations of a column


def importance(names: Sequence[str], moved: np.ndarray, blocks: np.ndarray) -> list[Importance]:
    """Means over rows, the largest first, with intervals of 95 %.

    The interval is Student's for so many blocks, about the mean as a ratio of two sums over blocks (Cochran, "Sampling
    Techniques", 1977, 6.3): rows of one day are one observation, not many.

    Args:
        names: Of the columns.
        moved: What each column did to each row, shape (rows, columns).
        blocks: Of each row its block, shape (rows,).

    >>> found = importance(["a", "b"], np.array([[1.0, 3.0], [1.0, 5.0]]), np.array([0, 1]))
    >>> [(each.column, each.value) for each in found], found[1].lower == found[1].upper == 1.0
    ([('b', 4.0), ('a', 1.0)], True)
    """
    _, block = np.unique(blocks, return_inverse=True)
    count, mean = int(block.max()) + 1, moved.mean(axis=0)
    off = np.zeros((count, moved.shape[1]))
    np.add.at(off, block, moved - mean)
    error = np.sqrt((off**2).sum(axis=0) * count / max(count - 1, 1)) / len(moved)
    half = error * quantile(1 - (1 - CONFIDENCE) / 2, count - 1)
    found = [
        Importance(column=name, value=value, lower=value - by, upper=value + by)
        for name, value, by in zip(names, mean.tolist(), half.tolist(), strict=True)
    ]
    return sorted(found, key=lambda each: -each.value)


def permuted(losses: Callable[[Any], np.ndarray], encoded: Any) -> np.ndarray:
    """How much each row's loss grows when a column's values are dealt to other rows, shape (rows, columns).

    Permutation importance; Breiman, "Random Forests" (2001), and Fisher, Rudin & Dominici, "All Models are Wrong, but Many
    are Useful" (2019).

    Args:
        losses: Of rows of a frame, shape (rows,).
        encoded: A pandas frame of held out rows.
    """
    generator, usual = np.random.default_rng(0), losses(encoded)
    grown = np.zeros(encoded.shape)
    for place, name in enumerate(encoded.columns):
        for _ in range(REPEATS):
            dealt = replaced(encoded, name, encoded[name].to_numpy()[generator.permutation(len(encoded))])
            grown[:, place] += (losses(dealt) - usual) / REPEATS
    return grown
