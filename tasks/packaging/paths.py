"""The paths from the roots of trees to their leaves: what of an ensemble reasons are made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from serving.reasons.trees import Paths
from tasks.training.estimators.sums import LEAF, Tree


class Condition(NamedTuple):
    """What all splits of a path at one number ask of it: above `low`, not above `high`; NaN where `missing`."""

    low: np.float32
    high: np.float32
    missing: bool
    ratio: float


ANY = Condition(np.float32(-np.inf), np.float32(np.inf), True, 1.0)


def paths_of(trees: list[Tree]) -> Paths:
    """Those of all trees, with a condition for each number that a path asks about.

    >>> node = np.array([1, LEAF, LEAF]), np.array([2, LEAF, LEAF]), np.zeros(3, int), np.float32([0.5, 0, 0])
    >>> tree = Tree(*node, np.array([True] * 3), np.array([4.0, 1.0, 3.0]), np.array([[0.0], [7.0], [8.0]]))
    >>> found = paths_of([tree])
    >>> found.ratio.tolist(), found.high.tolist(), found.values.ravel().tolist()
    ([0.25, 0.75], [0.5, inf], [7.0, 8.0])
    """
    found = [(leaf, path, tree) for tree in trees for leaf, path in _leaves(tree)]
    conditions = [(feature, *condition) for _, path, _ in found for feature, condition in path.items()]
    feature, low, high, missing, ratio = zip(*conditions, strict=True) if conditions else ((),) * 5
    return Paths(
        starts=np.cumsum([0, *(len(path) for _, path, _ in found)]).astype(np.int32),
        feature=np.array(feature, dtype=np.int32),
        low=np.array(low, dtype=np.float32),
        high=np.array(high, dtype=np.float32),
        missing=np.array(missing, dtype=bool),
        ratio=np.array(ratio, dtype=np.float64),
        values=np.array([tree.values[leaf] for leaf, _, tree in found]),
    )


def _leaves(tree: Tree) -> Iterator[tuple[int, dict[int, Condition]]]:
    left, right, feature, cover = (each.tolist() for each in (tree.left, tree.right, tree.feature, tree.cover))
    waiting: list[tuple[int, dict[int, Condition]]] = [(0, {})]
    while waiting:
        node, path = waiting.pop()
        if left[node] == LEAF:
            yield node, path
            continue
        before, at, goes = path.get(feature[node], ANY), tree.threshold[node], bool(tree.missing_left[node])
        share = cover[left[node]] / cover[node]
        lower = Condition(before.low, min(before.high, at), before.missing and goes, before.ratio * share)
        upper = Condition(max(before.low, at), before.high, before.missing and not goes, before.ratio * (1 - share))
        waiting.append((right[node], {**path, feature[node]: upper}))
        waiting.append((left[node], {**path, feature[node]: lower}))
