"""scikit-learn's histogram gradient boosting: trees, each of which learns what those before it got wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.problems.values import Learner
from tasks.training.estimators.family import Family
from tasks.training.estimators.sums import LEAF, Sum, Tree, in_place, of_classes

LOGARITHMIC = ("poisson", "gamma")  # losses that boost the logarithm of the number


class GradientBoosting(Family):
    """Native categories do not convert, so that categories are encoded in front of it."""

    usual: Mapping[str, Any] = {"early_stopping": False}
    monotone = "monotonic_cst"

    def classes(self) -> Mapping[Learner, Any]:
        """All; a ranker learns the relevance of each row alone."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        return {
            "classifier": HistGradientBoostingClassifier,
            "regressor": HistGradientBoostingRegressor,
            "ranker": HistGradientBoostingRegressor,
        }

    def adds(self, part: Any) -> Sum | None:
        """Trees that add to one output each, in turn, and where boosting began."""
        baseline = part._baseline_prediction.ravel()
        trees = [_tree(each.nodes, place, len(baseline)) for rows in part._predictors for place, each in enumerate(rows)]
        loss = getattr(part, "loss", "log_loss")
        scale = of_classes(len(baseline)) if loss == "log_loss" else "log_value" if loss in LOGARITHMIC else "value"
        return Sum(scale, baseline, trees)

    def settle(self, part: Any) -> None:
        """Rounded down."""
        for tree in (tree for trees in getattr(part, "_predictors", ()) for tree in trees):
            tree.nodes["num_threshold"] = rounded_down(tree.nodes["num_threshold"])


def _tree(nodes: np.ndarray, output: int, outputs: int) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, LEAF, nodes[side].astype(np.int64)) for side in ("left", "right"))
    return Tree(
        left,
        right,
        nodes["feature_idx"],
        nodes["num_threshold"].astype(np.float32),
        nodes["missing_go_to_left"].astype(bool),
        nodes["count"].astype(np.float64),
        in_place(nodes["value"], output, outputs),
    )


def rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 not above each threshold: a float32 is at most the one where it is at most the other.

    >>> rounded_down(np.array([0.1])) <= 0.1
    array([ True])
    """
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
