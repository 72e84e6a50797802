"""scikit-learn's random forests: trees that each learn from other rows and columns, and their mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tasks.problems.values import Learner
from tasks.training.estimators.family import Family
from tasks.training.estimators.gradient_boosting import rounded_down
from tasks.training.estimators.sums import Sum, Tree

TAUGHT = [f"Sklearn{kind}{learner}" for kind in ("RandomForest", "ExtraTrees") for learner in ("Classifier", "Regressor")]


class RandomForest(Family):
    """Leaves of one row, which are scikit-learn's own, would make a graph as large as the table."""

    usual: Mapping[str, Any] = {"min_samples_leaf": 20, "n_jobs": -1}
    monotone = "monotonic_cst"

    def classes(self) -> Mapping[Learner, Any]:
        """All; a ranker learns the relevance of each row alone."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        return {
            "classifier": RandomForestClassifier,
            "regressor": RandomForestRegressor,
            "ranker": RandomForestRegressor,
        }

    def adds(self, part: Any) -> Sum | None:
        """The mean of what the trees say: a number, or of each class its share; of two classes the second's."""
        chosen = part.n_classes_ if hasattr(part, "classes_") else 1
        trees = [_tree(each.tree_, chosen == 2, part.n_estimators) for each in part.estimators_]
        return Sum("value" if chosen == 1 else "probability", np.zeros(trees[0].values.shape[1]), trees)

    def teach(self) -> None:
        """skl2onnx's own converters, and where a missing number goes, which they leave out; thresholds they round down."""
        from skl2onnx.common._registration import get_converter, register_converter

        for name in TAUGHT:
            plain = get_converter(name)
            if not isinstance(plain._fct, _WithMissing):
                register_converter(name, _WithMissing(plain), overwrite=True, options=plain.get_allowed_options())


def _tree(tree: Any, second: bool, among: int) -> Tree:
    return Tree(
        tree.children_left,
        tree.children_right,
        tree.feature,
        rounded_down(tree.threshold).astype(np.float32),
        tree.missing_go_to_left.astype(bool),
        tree.weighted_n_node_samples,
        tree.value[:, 0, 1 if second else 0 :] / among,
    )


class _WithMissing:
    """A converter, after which each split sends a missing number where the forest sends it."""

    def __init__(self, plain: Callable[..., None]) -> None:
        self._plain = plain

    def __call__(self, scope: Any, operator: Any, container: Any) -> None:
        """Nodes stand in the graph in the order of the trees, and in each of the tree's own."""
        from onnx import helper

        before = len(container.nodes)
        self._plain(scope, operator, container)
        to_left = np.concatenate([each.tree_.missing_go_to_left for each in operator.raw_operator.estimators_])
        for node in container.nodes[before:]:
            for attribute in node.attribute:
                if attribute.name == "nodes_missing_value_tracks_true":
                    attribute.CopyFrom(helper.make_attribute(attribute.name, to_left.astype(int).tolist()))
