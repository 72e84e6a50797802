"""LightGBM: gradient boosting that grows the leaf that gains most. An extra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from configs.errors import nearest
from tasks.problems.values import Learner
from tasks.training.estimators.extra import library, loaded, register
from tasks.training.estimators.family import Family, Kept
from tasks.training.estimators.gradient_boosting import rounded_down
from tasks.training.estimators.sums import LEAF, Sum, Tree, in_place, of_classes

KEPT = {
    "boosting": Kept(("gbdt", "gbrt", "dart"), "its forests lose their scale in ONNX; take random_forest, 'gbdt' or 'dart'"),
    "categorical_feature": Kept((), "categories are numbers in front of the trees; leave it out"),
    "early_stopping_round": Kept((0, -1), "no rows are held back to stop by; search n_estimators in training.search"),
    "linear_tree": Kept((False,), "a leaf of an ONNX tree is one number"),
    "reg_sqrt": Kept((False,), "ONNX would leave the squares out; transform the target in source.query"),
    "seed": Kept((), "write model.seed"),
    "sigmoid": Kept((1,), "ONNX has the standard one"),
    "zero_as_missing": Kept((False,), "to ONNX only NaN is missing"),
}
OBJECTIVES: dict[Learner, tuple[str | None, ...]] = {
    "classifier": (None, "binary", "multiclass", "softmax"),
    "regressor": (
        *(None, "regression", "regression_l2", "l2", "mse", "mean_squared_error", "regression_l1", "l1", "mae"),
        *("mean_absolute_error", "huber", "quantile", "poisson", "gamma", "tweedie"),
    ),
    "ranker": (None, "lambdarank", "rank_xendcg"),
}
LOGARITHMIC = ("poisson", "gamma", "tweedie")  # objectives that boost the logarithm of the number
ZERO = np.float32(1e-35)  # LightGBM's kZeroThreshold


class LightGBM(Family):
    """It adds up in the same order on any number of threads, so that the same rows give the same trees."""

    usual: Mapping[str, Any] = {"deterministic": True, "force_row_wise": True, "verbosity": -1}
    monotone = "monotone_constraints"

    def classes(self) -> Mapping[Learner, Any]:
        """All; a ranker learns the order of the rows of each query (LambdaMART)."""
        lightgbm = library("lightgbm")
        return {"classifier": lightgbm.LGBMClassifier, "regressor": lightgbm.LGBMRegressor, "ranker": lightgbm.LGBMRanker}

    def declined(self, learner: Learner, parameters: Mapping[str, Any]) -> str:
        """Also a name that LightGBM itself would pass over with a warning."""
        from lightgbm.basic import _ConfigAliases

        first = {each: name for name, names in _ConfigAliases._get_all_param_aliases().items() for each in (name, *names)}
        known = {*first, *self.classes()[learner]().get_params()}
        if stray := [name for name in parameters if name not in known]:
            return f"{stray[0]!r}: {nearest(stray[0], sorted(known))}"
        fitting = OBJECTIVES[learner]
        kept = {**KEPT, "objective": Kept(fitting, f"what converts: {', '.join(filter(None, fitting))}")}
        return self.unfit({first.get(name, name): value for name, value in parameters.items()}, kept)

    def refusals(self) -> tuple[type[Exception], ...]:
        """Its own error."""
        return (library("lightgbm").basic.LightGBMError, TypeError)

    def adds(self, part: Any) -> Sum | None:
        """Trees that add to one output each, in turn; where boosting began is in the first of them."""
        found = part.booster_.dump_model()
        outputs = found["num_tree_per_iteration"]
        trees = [_tree(each["tree_structure"], place % outputs, outputs) for place, each in enumerate(found["tree_info"])]
        if hasattr(part, "classes_"):
            return Sum(of_classes(outputs), np.zeros(outputs), trees)
        objective = found["objective"].split()[0]
        return Sum("log_value" if objective in LOGARITHMIC else "value", np.zeros(outputs), trees)

    def teach(self) -> None:
        """The converter of onnxmltools."""
        if loaded("lightgbm"):
            from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

            register(self.classes(), convert_lightgbm)

    def settle(self, part: Any) -> None:
        """In its own text format, which is the only way in: a line of each tree has the thresholds.

        That of `tree_sizes` has the bytes of every tree, which change; without it trees are read one after another.
        """
        if not loaded("lightgbm") or not isinstance(part, library("lightgbm").LGBMModel) or not part.__sklearn_is_fitted__():
            return
        lines = part.booster_.model_to_string().split("\n")
        text = "\n".join(_rounded(line) for line in lines if not line.startswith("tree_sizes="))
        part._Booster = library("lightgbm").Booster(model_str=text)


def _tree(root: dict[str, Any], output: int, outputs: int) -> Tree:
    """The root comes first, then whatever is met on the way down."""
    nodes, left, right = [root], [], []
    for node in nodes:  # which grows
        if "split_index" in node:
            left.append(len(nodes))
            right.append(len(nodes) + 1)
            nodes += [node["left_child"], node["right_child"]]
        else:
            left.append(LEAF)
            right.append(LEAF)
    values = np.array([node.get("leaf_value", 0.0) for node in nodes])
    return Tree(
        np.array(left),
        np.array(right),
        np.array([node.get("split_feature", 0) for node in nodes]),
        np.array([node.get("threshold", 0.0) for node in nodes]).astype(np.float32),
        np.array([_missing_left(node) for node in nodes]),
        np.array([node.get("internal_count", node.get("leaf_count", 1)) for node in nodes], dtype=np.float64),
        in_place(values, output, outputs),
    )


def _missing_left(node: dict[str, Any]) -> bool:
    """Where no number was missing in training, LightGBM reads a missing one as 0."""
    return bool(node.get("default_left") if node.get("missing_type") == "NaN" else node.get("threshold", 0.0) >= 0)


def _rounded(line: str) -> str:
    """A line of the text, with the thresholds rounded down if it has them.

    >>> _rounded("threshold=0.5 0.1"), _rounded("split_feature=0 1")
    ('threshold=0.5 0.09999999403953552', 'split_feature=0 1')
    """
    name, _, values = line.partition("=")
    if name != "threshold" or not values:
        return line
    return f"{name}={' '.join(map(repr, _exact(np.array(values.split(), dtype=np.float64)).tolist()))}"


def _exact(thresholds: np.ndarray) -> np.ndarray:
    """Rounded down; and since LightGBM reads a value of at most ZERO as 0, all of these on one side, as 0 is.

    >>> below, above = _exact(np.array([-1e-35, 0.0]))
    >>> bool(below < -ZERO), bool(above == ZERO)
    (True, True)
    """
    nearly = np.where(thresholds < 0, np.nextafter(-ZERO, np.float32(-np.inf)), ZERO)
    return np.where(np.abs(thresholds) <= ZERO, nearly, rounded_down(thresholds))
