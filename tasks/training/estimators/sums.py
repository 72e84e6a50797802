"""Models that are sums: of the leaves that a row comes to, or of its numbers by their weights."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from serving.reasons.scale import Scale

LEAF = -1  # in place of a child


class Tree(NamedTuple):
    """One tree, as arrays over its nodes; the root is the first.

    A number of at most `threshold`, a float32, goes `left`, a missing one where `missing_left`; a leaf's children are LEAF.
    `cover` is how much of the training rows came to a node, `values` (nodes, k) what a leaf adds to each output.
    """

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    cover: np.ndarray
    values: np.ndarray


class Sum(NamedTuple):
    """`intercept` (k,) and the trees, or the `weights` (width, k); what it is a sum in, `scale` says."""

    scale: Scale
    intercept: np.ndarray
    trees: list[Tree]
    weights: np.ndarray | None = None


def in_place(values: np.ndarray, output: int, outputs: int) -> np.ndarray:
    """Values (nodes,) of a tree that adds to one output only, shape (nodes, outputs).

    >>> in_place(np.array([3.0]), 1, 2).tolist()
    [[0.0, 3.0]]
    """
    found = np.zeros((len(values), outputs))
    found[:, output] = values
    return found


def of_classes(outputs: int) -> Scale:
    """The scale of boosted trees and of linear models that choose."""
    return "log_odds" if outputs == 1 else "logit"
