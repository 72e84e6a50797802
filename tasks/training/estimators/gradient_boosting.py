"""scikit-learn's histogram gradient boosting: trees, each of which learns what those before it got wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.problems.values import Learner
from tasks.training.estimators.family import Family


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

    def settle(self, part: Any) -> None:
        """Rounded down."""
        for tree in (tree for trees in getattr(part, "_predictors", ()) for tree in trees):
            tree.nodes["num_threshold"] = rounded_down(tree.nodes["num_threshold"])


def rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 not above each threshold: a float32 is at most the one where it is at most the other.

    >>> rounded_down(np.array([0.1])) <= 0.1
    array([ True])
    """
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
